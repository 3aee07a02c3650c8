import type { SandboxStore } from '../../sandbox/store.js';
import type { ContainerStore } from '../container/store.js';
import type { CgroupSampler } from './sample-cgroup.js';
import type { WritableLayers } from './writable-layers.js';

/** What the readers of resource usage work with; the daemon makes the one there is. */
export interface StatsContext {
  readonly containers: ContainerStore;
  readonly sandboxes: SandboxStore;
  readonly cgroups: CgroupSampler;
  readonly layers: WritableLayers;
  /** The directory that all writable layers are below. */
  readonly layersDir: string;
}
