import type { Handler } from '../../server/handlers.js';
import type { RuntimeServiceContext } from './context.js';

/** Version of kubelet's runtime API, a constant since the beginning of CRI. */
const KUBELET_API_VERSION = '0.1.0';

export const version =
  ({ node }: RuntimeServiceContext): Handler<'Version'> =>
  () =>
    Promise.resolve({
      version: KUBELET_API_VERSION,
      runtimeName: 'gantry',
      runtimeVersion: node.version,
      runtimeApiVersion: 'v1',
    });
