import { runtime } from '../../../api/cri/generated/api.cjs';
import type { Sandbox, SandboxStore } from '../../sandbox/store.js';
import type { Handler } from '../../server/handlers.js';
import { EncodedList } from '../convert/encoded-list.js';
import { fromSandbox, isListed, sandboxState } from '../convert/sandbox-status.js';
import { matchesLabels } from '../convert/values.js';
import type { RuntimeServiceContext } from './context.js';

export const listPodSandbox =
  ({ sandboxes }: RuntimeServiceContext): Handler<'ListPodSandbox'> =>
  ({ filter }) =>
    Promise.resolve(encodedSandboxes.join(findSandboxes(sandboxes.store, filter)));

/** The sandboxes that a list has. */
export function findSandboxes(store: SandboxStore, filter: runtime.v1.IPodSandboxFilter | null | undefined): Sandbox[] {
  return store.list().filter((sandbox) => isListed(sandbox) && matches(sandbox, filter ?? {}));
}

export const encodedSandboxes = new EncodedList<Sandbox>((sandbox) =>
  runtime.v1.PodSandbox.encode(fromSandbox(sandbox)).finish(),
);

function matches(sandbox: Sandbox, { id, state, labelSelector }: runtime.v1.IPodSandboxFilter): boolean {
  const { record } = sandbox;
  if (id && !record.id.startsWith(id)) return false;
  if (state && sandboxState(sandbox) !== state.state) return false;
  return matchesLabels(record.config.labels, labelSelector);
}
