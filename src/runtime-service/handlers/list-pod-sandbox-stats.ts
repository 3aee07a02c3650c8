import type { runtime } from '../../../api/cri/generated/api.cjs';
import type { Sandbox } from '../../sandbox/store.js';
import type { Handler } from '../../server/handlers.js';
import { fromPodUse } from '../convert/sandbox-stats.js';
import { matchesLabels } from '../convert/values.js';
import { podUse } from '../stats/pod-use.js';
import type { StatsContext } from '../stats/context.js';
import type { RuntimeServiceContext } from './context.js';

export const listPodSandboxStats =
  ({ stats }: RuntimeServiceContext): Handler<'ListPodSandboxStats'> =>
  async ({ filter }) => {
    return { stats: await statsOf(stats, findPods(stats, filter)) };
  };

/** The sandboxes that a list of stats has: those not ready take nothing, and kubelet would count their pod twice. */
export function findPods(
  { sandboxes }: StatsContext,
  filter: runtime.v1.IPodSandboxStatsFilter | null | undefined,
): Sandbox[] {
  return sandboxes.list().filter((sandbox) => matches(sandbox, filter ?? {}));
}

export async function statsOf(
  context: StatsContext,
  sandboxes: readonly Sandbox[],
): Promise<runtime.v1.IPodSandboxStats[]> {
  const uses = await Promise.all(sandboxes.map((sandbox) => podUse(context, sandbox)));
  return uses.map((use) => fromPodUse(use, context.layersDir));
}

function matches({ record, status }: Sandbox, { id, labelSelector }: runtime.v1.IPodSandboxStatsFilter): boolean {
  if (status.state !== 'ready') return false;
  if (id && !record.id.startsWith(id)) return false;
  return matchesLabels(record.config.labels, labelSelector);
}
