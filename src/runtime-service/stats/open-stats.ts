import type { Logger } from '../../base/log.js';
import { isCgroupV2 } from '../../oci/cgroup.js';
import type { StatsContext } from './context.js';
import { CgroupSampler } from './sample-cgroup.js';
import { TreeMeasurer } from './tree-measurer.js';
import { WritableLayers } from './writable-layers.js';

/** What the readers of resource usage need, on this host. Nothing is read before someone asks. */
export function openStats(
  parts: Pick<StatsContext, 'containers' | 'sandboxes' | 'layersDir'> & { readonly logger: Logger },
): StatsContext {
  const { containers, sandboxes, layersDir, logger } = parts;
  const cgroups = new CgroupSampler({ mount: '/sys/fs/cgroup', version: isCgroupV2() ? 2 : 1 });
  const layers = new WritableLayers({ measurer: new TreeMeasurer(), logger });
  return { containers, sandboxes, layersDir, cgroups, layers };
}
