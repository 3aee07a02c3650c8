import { join } from 'node:path';

import { settlesWithin } from '../../base/abort.js';
import { describeError } from '../../base/errors.js';
import { removeUnmounted } from '../../base/remove-unmounted.js';
import { releaseStrays } from '../../base/strays.js';
import { isHalfMade } from '../../sandbox/recover.js';
import type { ContainerContext } from './context.js';
import { containerPaths } from './paths.js';
import { endStrayProcesses } from './recover.js';
import { unmountVolumes } from './volumes.js';
import { stopContainer } from './stop.js';

/** How long a start waits for the ends of orphans that it has killed. */
const ORPHAN_MS = 2_000;

/** Ends the containers whose record could not be read: they are told by their directories below `<state>`. */
export async function releaseStrayContainers(context: ContainerContext): Promise<void> {
  const { store, retries, logger, stateDir } = context;
  await releaseStrays({
    ...{ kind: 'container', dir: join(stateDir, 'containers'), retries, logger },
    isKnown: (id) => store.get(id) !== undefined,
    end: (id) => {
      context.images.adoptUnknown(id);
      return endStrayProcesses(context, { id });
    },
    release: (id) => release(context, id),
  });
}

/**
 * Ends those whose sandbox is not on record, or is about to go, so that a pod that is made anew does not run beside its
 * old self.
 */
export async function endOrphans(context: ContainerContext): Promise<void> {
  const orphans = context.store.list().filter(({ record }) => {
    const sandbox = context.sandboxes.get(record.sandboxId);
    return sandbox === undefined || isHalfMade(sandbox);
  });
  await Promise.all(
    orphans.map(async ({ record: { id, sandboxId } }) => {
      context.logger.warn({ container: id, sandbox: sandboxId }, 'the sandbox of a container has no record: ending it');
      const end = stopContainer(context, id, 0).catch((error: unknown) =>
        context.logger.warn({ container: id, error: describeError(error) }, 'a container without a sandbox resists'),
      );
      await settlesWithin(end, ORPHAN_MS);
    }),
  );
}

async function release(context: ContainerContext, id: string): Promise<void> {
  const { bundle, rootfs, volumes } = containerPaths(context, { id });
  await endStrayProcesses(context, { id });
  await context.runtimes.deleteUnknown(id);
  await unmountVolumes(volumes);
  await context.images.unmountRootfs({ owner: id, target: rootfs });
  await removeUnmounted(bundle);
}
