import { runtime } from '../../../api/cri/generated/api.cjs';
import type { Handler } from '../../server/handlers.js';
import type { Container } from '../container/store.js';
import { EncodedList } from '../convert/encoded-list.js';
import { containerState, fromContainer, isListed } from '../convert/container-status.js';
import { matchesLabels } from '../convert/values.js';
import type { RuntimeServiceContext } from './context.js';

export const listContainers =
  ({ containers }: RuntimeServiceContext): Handler<'ListContainers'> =>
  ({ filter }) => {
    const items = containers.store
      .list()
      .filter((container) => isListed(container) && matches(container, filter ?? {}));
    return Promise.resolve(encoded.join(items));
  };

const encoded = new EncodedList<Container>((container) =>
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
