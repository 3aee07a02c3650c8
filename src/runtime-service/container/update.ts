import { failedPrecondition, unimplemented } from '../../base/errors.js';
import { cgroupAbilities } from '../../oci/cgroup-abilities.js';
import { setOomScoreAdj } from '../../oci/spec/oom-score.js';
import { fitResources, ociResources, type ContainerResources } from '../../oci/spec/resources.js';
import type { ContainerContext } from './context.js';
import { orContainerEnded } from './ended-meanwhile.js';
import { containerPaths } from './paths.js';
import { resourcesOf } from './resources.js';
import { moveContainer } from './state.js';
import type { Container } from './store.js';
import type { ContainerProcesses } from './types.js';

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
    if (status.state === 'exited' || status.state === 'creating' || status.state === 'removing')
      throw failedPrecondition(`container "${id}" is ${status.state}: its resources cannot be changed`);
    const before = resourcesOf(container);
    checkHugepages(before, change);
    const resources = merge(before, change);
    const fitting = fitResources(resources, cgroupAbilities(), 'linux');
    if (status.state !== 'unstartable') await apply(context, { record, status }, { before, after: resources, fitting });
    await context.store.update(id, (now) => {
      const ended = now.state !== 'created' && now.state !== 'unstartable' && now.state !== 'running';
      return ended ? now : moveContainer(now, { ...now, resources });
    });
  });
}

type Living = Container & { readonly status: { readonly processes: ContainerProcesses } };

interface Change {
  readonly before: ContainerResources;
  readonly after: ContainerResources;
  /** What of the latter this node can have. */
  readonly fitting: ContainerResources;
}

async function apply(
  context: ContainerContext,
  { record, status }: Living,
  { before, after, fitting }: Change,
): Promise<void> {
  const { bundle } = containerPaths(context, record);
  try {
    await context.runtimes.of(record).update(record.id, bundle, ociResources(fitting, []));
    // The runtime's update knows nothing of it.
    if (after.oomScoreAdj !== before.oomScoreAdj) await setOomScoreAdj(status.processes.cgroupDir, after.oomScoreAdj);
  } catch (error) {
    throw orContainerEnded(error, context, record.id);
  }
}

/** Runtimes take them at creation alone: runc says nothing and changes nothing. */
function checkHugepages(before: ContainerResources, { hugepageLimits }: ContainerResources): void {
  const other = hugepageLimits.find(({ pageSize, limit }) => {
    const current = before.hugepageLimits.find((one) => one.pageSize === pageSize)?.limit ?? 0;
    return current !== limit;
  });
  if (other !== undefined)
    throw unimplemented(`linux.hugepage_limits of ${other.pageSize} cannot be changed after creation`);
}

/** CRI: zero and empty mean "not set", so nothing can be set back to them. */
function merge(current: ContainerResources, change: ContainerResources): ContainerResources {
  const set = Object.entries(change).filter(([, value]) => isSet(value));
  const merged = { ...current, ...Object.fromEntries(set), unified: { ...current.unified, ...change.unified } };
  return swapIsShort(merged) && !isSet(change.memorySwapLimit) ? { ...merged, memorySwapLimit: 0 } : merged;
}

/** No kernel takes a limit of memory and swap together below that of memory alone. */
function swapIsShort({ memoryLimit, memorySwapLimit }: ContainerResources): boolean {
  return memorySwapLimit > 0 && (memoryLimit === -1 || memoryLimit > memorySwapLimit);
}

function isSet(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0;
  return value !== 0 && value !== '';
}
