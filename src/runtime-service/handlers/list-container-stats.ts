import type { runtime } from '../../../api/cri/generated/api.cjs';
import type { Handler } from '../../server/handlers.js';
import type { Container } from '../container/store.js';
import { fromContainerUse } from '../convert/container-stats.js';
import { isListed } from '../convert/container-status.js';
import { matchesLabels } from '../convert/values.js';
import { containerUse } from '../stats/container-use.js';
import type { StatsContext } from '../stats/context.js';
import type { RuntimeServiceContext } from './context.js';

export const listContainerStats =
  ({ stats }: RuntimeServiceContext): Handler<'ListContainerStats'> =>
  async ({ filter }) => {
    return { stats: await statsOf(stats, findContainers(stats, filter)) };
  };

/** The containers that a list of stats has. */
export function findContainers(
  { containers }: StatsContext,
  filter: runtime.v1.IContainerStatsFilter | null | undefined,
): Container[] {
  return containers.list().filter((one) => isListed(one) && matches(one, filter ?? {}));
}

export async function statsOf(
  context: StatsContext,
  containers: readonly Container[],
): Promise<runtime.v1.IContainerStats[]> {
  const uses = await Promise.all(containers.map((container) => containerUse(context, container)));
  return uses.map((use) => fromContainerUse(use, context.layersDir));
}

function matches(
  { record }: Container,
  { id, podSandboxId, labelSelector }: runtime.v1.IContainerStatsFilter,
): boolean {
  if (id && !record.id.startsWith(id)) return false;
  if (podSandboxId && !record.sandboxId.startsWith(podSandboxId)) return false;
  return matchesLabels(record.config.labels, labelSelector);
}
