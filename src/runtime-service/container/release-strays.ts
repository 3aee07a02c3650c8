import { join } from 'node:path';

import { describeError } from '../../base/errors.js';
import { removeUnmounted } from '../../base/remove-unmounted.js';
import { releaseStrays } from '../../base/strays.js';
import type { ContainerContext } from './context.js';
import { containerPaths } from './paths.js';
import { endStrayProcesses } from './recover.js';
import { unmountVolumes } from './volumes.js';
import { stopContainer } from './stop.js';

/** Ends the containers whose record could not be read: they are told by their directories below `<state>`. */
export async function releaseStrayContainers(context: ContainerContext): Promise<void> {
  const { store, retries, logger, stateDir } = context;
  await releaseStrays({
    ...{ kind: 'container', dir: join(stateDir, 'containers'), retries, logger },
    isKnown: (id) => store.get(id) !== undefined,
    release: (id) => release(context, id),
  });
}

/** Ends those whose sandbox is not on record, so that a pod that is made anew does not run beside its old self. */
export async function endOrphans(context: ContainerContext): Promise<void> {
  const orphans = context.store.list().filter(({ record }) => context.sandboxes.get(record.sandboxId) === undefined);
  await Promise.all(
    orphans.map(async ({ record: { id, sandboxId } }) => {
      context.logger.warn({ container: id, sandbox: sandboxId }, 'the sandbox of a container has no record: ending it');
      await stopContainer(context, id, 0).catch((error: unknown) =>
        context.logger.warn({ container: id, error: describeError(error) }, 'a container without a sandbox resists'),
      );
    }),
  );
}

async function release(context: ContainerContext, id: string): Promise<void> {
  const { bundle, rootfs, volumes } = containerPaths(context.stateDir, id);
  await endStrayProcesses(context, id);
  for (const handler of context.runtimes.names) await context.runtimes.get(handler).delete(id);
  await unmountVolumes(volumes);
  await context.images.unmountRootfs({ owner: id, target: rootfs });
  await removeUnmounted(bundle);
}
