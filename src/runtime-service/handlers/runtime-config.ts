import { runtime } from '../../../api/cri/generated/api.cjs';
import type { Handler } from '../../server/handlers.js';
import type { RuntimeServiceContext } from './context.js';

const DRIVERS = { cgroupfs: runtime.v1.CgroupDriver.CGROUPFS, systemd: runtime.v1.CgroupDriver.SYSTEMD } as const;

export const runtimeConfig =
  ({ node }: RuntimeServiceContext): Handler<'RuntimeConfig'> =>
  () =>
    Promise.resolve({ linux: { cgroupDriver: DRIVERS[node.cgroupDriver] } });
