import { removeUnmounted } from '../../base/remove-unmounted.js';
import { removeLeftCgroup } from '../../oci/cgroup.js';
import type { ContainerContext } from './context.js';
import { containersOf } from './of-sandbox.js';
import { containerPaths } from './paths.js';
import { moveContainer } from './state.js';
import { unmountVolumes } from './volumes.js';
import { stopContainer } from './stop.js';

/**
 * Removes a container, ending it first if it runs (CRI RemoveContainer). Gone already is fine. What fails goes on in the
 * background: the container is on no list any more, so nobody may ask again.
 */
export async function removeContainer(context: ContainerContext, id: string): Promise<void> {
  await stopContainer(context, id, 0);
  const discard = (): Promise<void> => context.locks.run(id, () => discardContainer(context, id));
  await context.locks.run(id, async () => {
    // It may have come to life only now, if its creation was under way.
    await stopContainer(context, id, 0);
    try {
      await discardContainer(context, id);
    } catch (error) {
      context.retries.keep({ name: `container ${id}`, run: discard });
      throw error;
    }
  });
}

/** Removes all containers of a sandbox (CRI RemovePodSandbox). */
export async function removeContainersOf(context: ContainerContext, sandboxId: string): Promise<void> {
  const containers = containersOf(context.store, sandboxId);
  await Promise.all(containers.map(({ record }) => removeContainer(context, record.id)));
}

/** Gives back what an ended container, or one whose creation a crash cut short, still holds. Under its lock. */
export async function discardContainer(context: ContainerContext, id: string): Promise<void> {
  const container = context.store.get(id);
  if (container === undefined) return;
  const { record } = container;
  await context.store.update(id, (now) => moveContainer(now, { state: 'removing' }), { evenIfFull: true });
  // As after a restart: half of a container has no right to a name.
  context.names.release(record.name, id);
  const runtime = context.runtimes.of(record);
  await runtime.delete(id);
  // A creation that was cut short may have left it without a word in the runtime's state.
  if (record.cgroupParent !== undefined) await removeLeftCgroup(runtime.options.cgroupDriver, record.cgroupParent, id);
  const { bundle, rootfs, volumes } = containerPaths(context, record);
  await unmountVolumes(volumes);
  await context.images.unmountRootfs({ owner: id, target: rootfs });
  await removeUnmounted(bundle);
  await context.store.delete(id);
}
