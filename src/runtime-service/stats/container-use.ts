import { join } from 'node:path';

import type { Container } from '../container/store.js';
import type { StatsContext } from './context.js';
import { present } from './present.js';
import { cgroupPathOf } from './read-cgroup.js';
import type { CgroupSample } from './types.js';
import type { LayerUse } from './writable-layers.js';

/** What a container takes at one time. */
export interface ContainerUse {
  readonly container: Container;
  /** Absent for one that has ended. */
  readonly cgroup?: CgroupSample;
  /** Its own files, above the image; absent while they are counted for the first time. */
  readonly layer?: LayerUse;
}

/** Reads what a container takes; of one that has ended only its files are left. */
export async function containerUse(context: StatsContext, container: Container): Promise<ContainerUse> {
  const [cgroup, layer] = await Promise.all([
    cgroupSample(context, container),
    context.layers.use(join(context.containers.dirOf(container.record.id), 'upper')),
  ]);
  return { container, ...present({ cgroup, layer }) };
}

async function cgroupSample(
  { cgroups, containers }: StatsContext,
  { record, status }: Container,
): Promise<CgroupSample | undefined> {
  if (status.state !== 'created' && status.state !== 'running') return undefined;
  const sample = await cgroups.sample(cgroupPathOf(cgroups.host, status.processes.cgroupDir));
  // It may have ended meanwhile, and half of a cgroup's files were gone.
  const now = containers.get(record.id)?.status.state;
  return now === status.state || now === 'running' ? sample : undefined;
}
