import { join } from 'node:path';

import { settlesWithin } from '../../base/abort.js';
import { describeError } from '../../base/errors.js';
import type { Claimant } from '../../base/names.js';
import { killInDirectory } from '../../base/sys/kill-in-directory.js';
import { killTree } from '../../base/sys/kill-tree.js';
import { endProcess, isAlive } from '../../base/sys/process.js';
import { processOfPidFile } from '../../oci/pid-file.js';
import type { ContainerContext } from './context.js';
import { containerPaths } from './paths.js';
import { discardContainer } from './remove.js';
import type { Container } from './store.js';
import type { ContainerRecord, ContainerState } from './types.js';

/** How long a start waits for the ends of those that died meanwhile: a monitor that hangs must not hold it up. */
const RECORD_MS = 5_000;

/**
 * Puts right what the last run left, before the first request: living containers are watched again, the end of those
 * that died meanwhile is recorded from conmon's exit file, and of creations and removals that were cut short the
 * processes are ended. The rest of those is given back in the background: a runtime that hangs keeps no daemon from serving.
 */
export async function recoverContainers(context: ContainerContext): Promise<void> {
  const containers = context.store.list();
  for (const { record } of containers)
    for (const { imageId } of [record, ...(record.volumeImages ?? [])]) context.images.adopt(record.id, imageId);
  claimNames(context, containers);
  await Promise.all(containers.map((container) => recoverContainer(context, container)));
}

const CLAIMS: Readonly<Record<ContainerState, Claimant['is']>> = {
  creating: 'half-made',
  created: 'alive',
  running: 'alive',
  unstartable: 'ended',
  exited: 'ended',
  removing: 'half-made',
};

function claimNames({ names, logger }: ContainerContext, containers: readonly Container[]): void {
  const without = names.reclaim(
    containers.map(({ record: { id, name, createdAt }, status }) => ({
      id,
      name,
      createdAt,
      is: CLAIMS[status.state],
    })),
  );
  for (const { id, name } of without)
    logger.warn({ container: id, name }, 'another container has the name of this one');
}

async function recoverContainer(context: ContainerContext, container: Container): Promise<void> {
  const { record, status } = container;
  switch (status.state) {
    case 'created':
    case 'running': {
      context.exits.watch(record, status.processes);
      // Dead ones are on record before the first list is answered.
      if (!isAlive(status.processes.init)) await settlesWithin(context.exits.ended(record.id), RECORD_MS);
      return;
    }
    case 'unstartable':
    case 'exited':
      return;
    case 'creating':
    case 'removing':
      await endStrayProcesses(context, record).catch((error: unknown) =>
        context.logger.warn(
          { container: record.id, error: describeError(error) },
          'a container left half-way resists its end',
        ),
      );
      context.retries.begin([{ name: `container ${record.id}`, run: () => finishRemoval(context, record) }]);
  }
}

/** Holds the container's lock, so that who asks for its end meanwhile waits, and finds it gone. */
function finishRemoval(context: ContainerContext, record: ContainerRecord): Promise<void> {
  const { id } = record;
  return context.locks.run(id, async () => {
    if (context.store.get(id) === undefined) return;
    await endStrayProcesses(context, record);
    await discardContainer(context, id);
    context.logger.info({ container: id }, 'removed a container that was left half-way');
  });
}

/**
 * The daemon was killed during `create`: its conmon and init are known by their pid files, and what has not written one
 * yet by the bundle that it works in. A runtime that still works would bring init to life later, so the whole tree goes.
 */
export async function endStrayProcesses(
  context: Pick<ContainerContext, 'stateDir'>,
  record: Pick<ContainerRecord, 'id' | 'stateDir'>,
): Promise<void> {
  const { id } = record;
  const { bundle } = containerPaths(context, record);
  const monitor = await processOfPidFile(join(bundle, 'conmon.pid'), id);
  if (monitor !== undefined) await killTree(monitor.pid);
  await killInDirectory(bundle);
  const init = await processOfPidFile(join(bundle, 'pid'), id);
  if (init !== undefined) await endProcess(init);
}
