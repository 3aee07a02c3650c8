import type { runtime } from '../../../api/cri/generated/api.cjs';
import type { Sandbox } from '../../sandbox/store.js';
import type { Handler } from '../../server/handlers.js';
import { fromPodUse } from '../convert/sandbox-stats.js';
import { matchesLabels } from '../convert/values.js';
import { podUse } from '../stats/pod-use.js';
import type { RuntimeServiceContext } from './context.js';

/** Sandboxes that are not ready take nothing, and kubelet would count their pod twice. */
export const listPodSandboxStats =
  ({ stats }: RuntimeServiceContext): Handler<'ListPodSandboxStats'> =>
  async ({ filter }) => {
    const sandboxes = stats.sandboxes.list().filter((sandbox) => matches(sandbox, filter ?? {}));
    const uses = await Promise.all(sandboxes.map((sandbox) => podUse(stats, sandbox)));
    return { stats: uses.map((use) => fromPodUse(use, stats.layersDir)) };
  };

function matches({ record, status }: Sandbox, { id, labelSelector }: runtime.v1.IPodSandboxStatsFilter): boolean {
  if (status.state !== 'ready') return false;
  if (id && !record.id.startsWith(id)) return false;
  return matchesLabels(record.config.labels, labelSelector);
}
