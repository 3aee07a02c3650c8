import { failedPrecondition } from '../../base/errors.js';
import { ociResources, type ContainerResources } from '../../oci/spec/resources.js';
import type { ContainerContext } from './context.js';
import { containerPaths } from './paths.js';
import { resourcesOf } from './resources.js';
import { moveContainer } from './state.js';

/**
 * Changes the limits of a created or running container (CRI UpdateContainerResources); what the request leaves at
 * zero stays as it is.
 * @throws not-found; failed-precondition for one that has ended; what the runtime says, with nothing recorded.
 */
export async function updateContainer(
  context: ContainerContext,
  idOrPrefix: string,
  change: ContainerResources,
): Promise<void> {
  const { id } = context.store.find(idOrPrefix).record;
  await context.locks.run(id, async () => {
    const container = context.store.find(id);
    const { record, status } = container;
    if (status.state !== 'created' && status.state !== 'running') {
      throw failedPrecondition(`container "${id}" is ${status.state}: its resources cannot be changed`);
    }
    const resources = merge(resourcesOf(container), change);
    const { bundle } = containerPaths(context.stateDir, id);
    await context.runtimes.get(record.handler).update(id, bundle, ociResources(resources, []));
    await context.store.update(id, (now) => {
      const lives = now.state === 'created' || now.state === 'running';
      return lives ? moveContainer(now, { ...now, resources }) : now;
    });
  });
}

/** CRI: zero and empty mean "not set", so nothing can be set back to them. */
function merge(current: ContainerResources, change: ContainerResources): ContainerResources {
  const set = Object.entries(change).filter(([, value]) => isSet(value));
  return { ...current, ...Object.fromEntries(set), unified: { ...current.unified, ...change.unified } };
}

function isSet(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0;
  return value !== 0 && value !== '';
}
