import type { runtime } from '../../../api/cri/generated/api.cjs';
import type { Sandbox } from '../../sandbox/store.js';
import type { Handler } from '../../server/handlers.js';
import { fromSandbox, isListed, sandboxState } from '../convert/sandbox-status.js';
import { matchesLabels } from '../convert/values.js';
import type { RuntimeServiceContext } from './context.js';

export const listPodSandbox =
  ({ sandboxes }: RuntimeServiceContext): Handler<'ListPodSandbox'> =>
  ({ filter }) => {
    const items = sandboxes.store.list().filter((sandbox) => isListed(sandbox) && matches(sandbox, filter ?? {}));
    return Promise.resolve({ items: items.map(fromSandbox) });
  };

function matches(sandbox: Sandbox, { id, state, labelSelector }: runtime.v1.IPodSandboxFilter): boolean {
  const { record } = sandbox;
  if (id && !record.id.startsWith(id)) return false;
  if (state && sandboxState(sandbox) !== state.state) return false;
  return matchesLabels(record.config.labels, labelSelector);
}
