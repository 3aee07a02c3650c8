import { removeUnmounted } from '../../base/remove-unmounted.js';
import type { ContainerContext } from './context.js';
import { containerPaths } from './paths.js';
import { moveContainer } from './state.js';
import { unmountVolumes } from './volumes.js';
import { stopContainer } from './stop.js';

/** Removes a container, ending it first if it runs (CRI RemoveContainer). Gone already is fine. */
export async function removeContainer(context: ContainerContext, id: string): Promise<void> {
  await stopContainer(context, id, 0);
  await context.locks.run(id, async () => {
    // It may have come to life only now, if its creation was under way.
    await stopContainer(context, id, 0);
    await discardContainer(context, id);
  });
}

/** Removes all containers of a sandbox (CRI RemovePodSandbox). */
export async function removeContainersOf(context: ContainerContext, sandboxId: string): Promise<void> {
  const containers = context.store.list().filter(({ record }) => record.sandboxId === sandboxId);
  await Promise.all(containers.map(({ record }) => removeContainer(context, record.id)));
}

/** Gives back what an ended container, or one whose creation a crash cut short, still holds. Under its lock. */
export async function discardContainer(context: ContainerContext, id: string): Promise<void> {
  const container = context.store.get(id);
  if (container === undefined) return;
  const { record } = container;
  await context.store.update(id, (status) => moveContainer(status, { state: 'removing' }), { evenIfFull: true });
  if (context.runtimes.names.includes(record.handler)) await context.runtimes.get(record.handler).delete(id);
  const { bundle, rootfs, volumes } = containerPaths(context.stateDir, id);
  await unmountVolumes(volumes);
  await context.images.unmountRootfs({ owner: id, target: rootfs });
  await removeUnmounted(bundle);
  await context.store.delete(id);
  context.names.release(record.name, id);
}
