import { join } from 'node:path';

import { describeError } from '../../base/errors.js';
import { killInDirectory } from '../../base/sys/kill-in-directory.js';
import { killTree } from '../../base/sys/kill-tree.js';
import { endProcess, isAlive } from '../../base/sys/process.js';
import { processOfPidFile } from '../../oci/pid-file.js';
import type { ContainerContext } from './context.js';
import { containerPaths } from './paths.js';
import { discardContainer } from './remove.js';
import type { Container } from './store.js';
import type { ContainerRecord } from './types.js';

/**
 * Puts right what the last run left, before the first request: living containers are watched again, the end of those
 * that died meanwhile is recorded from conmon's exit file, and creations and removals that were cut short are
 * finished as removals.
 */
export async function recoverContainers(context: ContainerContext): Promise<void> {
  const containers = context.store.list();
  for (const { record } of containers) claim(context, record);
  await Promise.all(containers.map((container) => recoverContainer(context, container)));
}

function claim(context: ContainerContext, record: ContainerRecord): void {
  const { names, images, logger } = context;
  try {
    for (const { imageId } of [record, ...(record.volumeImages ?? [])]) images.adopt(record.id, imageId);
    names.claim(record.name, record.id);
  } catch (error) {
    logger.warn({ container: record.id, error: describeError(error) }, 'a recovered container lacks its image or name');
  }
}

async function recoverContainer(context: ContainerContext, container: Container): Promise<void> {
  const { record, status } = container;
  switch (status.state) {
    case 'created':
    case 'running': {
      context.exits.watch(record, status.processes);
      // Dead ones are on record before the first list is answered.
      if (!isAlive(status.processes.init)) await context.exits.ended(record.id);
      return;
    }
    case 'exited':
      return;
    case 'creating':
    case 'removing':
      await finishRemoval(context, record);
  }
}

async function finishRemoval(context: ContainerContext, record: ContainerRecord): Promise<void> {
  const { id } = record;
  const finish = (): Promise<void> =>
    context.locks.run(id, async () => {
      await endStrayProcesses(context, id);
      await discardContainer(context, id);
    });
  try {
    await finish();
    context.logger.info({ container: id }, 'removed a container that was left half-way');
  } catch (error) {
    context.logger.warn({ container: id, error: describeError(error) }, 'a container left half-way resists removal');
    context.retries.add([{ name: `container ${id}`, run: finish }]);
  }
}

/**
 * The daemon was killed during `create`: its conmon and init are known by their pid files, and what has not written one
 * yet by the bundle that it works in. A runtime that still works would bring init to life later, so the whole tree goes.
 */
export async function endStrayProcesses({ stateDir }: ContainerContext, id: string): Promise<void> {
  const { bundle } = containerPaths(stateDir, id);
  const monitor = await processOfPidFile(join(bundle, 'conmon.pid'), id);
  if (monitor !== undefined) await killTree(monitor.pid);
  await killInDirectory(bundle);
  const init = await processOfPidFile(join(bundle, 'pid'), id);
  if (init !== undefined) await endProcess(init);
}
