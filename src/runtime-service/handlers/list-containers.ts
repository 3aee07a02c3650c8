import { runtime } from '../../../api/cri/generated/api.cjs';
import type { Handler } from '../../server/handlers.js';
import type { Container, ContainerStore } from '../container/store.js';
import { EncodedList } from '../convert/encoded-list.js';
import { containerState, fromContainer, isListed } from '../convert/container-status.js';
import { matchesLabels } from '../convert/values.js';
import type { RuntimeServiceContext } from './context.js';

export const listContainers =
  ({ containers }: RuntimeServiceContext): Handler<'ListContainers'> =>
  ({ filter }) =>
    Promise.resolve(encodedContainers.join(findContainers(containers.store, filter)));

/** The containers that a list has. */
export function findContainers(
  store: ContainerStore,
  filter: runtime.v1.IContainerFilter | null | undefined,
): Container[] {
  return store.list().filter((container) => isListed(container) && matches(container, filter ?? {}));
}

export const encodedContainers = new EncodedList<Container>((container) =>
  runtime.v1.Container.encode(fromContainer(container)).finish(),
);

function matches(
  container: Container,
  { id, state, podSandboxId, labelSelector }: runtime.v1.IContainerFilter,
): boolean {
  const { record } = container;
  if (id && !record.id.startsWith(id)) return false;
  if (podSandboxId && !record.sandboxId.startsWith(podSandboxId)) return false;
  if (state && containerState(container) !== state.state) return false;
  return matchesLabels(record.config.labels, labelSelector);
}
