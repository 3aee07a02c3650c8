import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { describeError } from '../../base/errors.js';
import { identify } from '../../base/sys/process.js';
import type { ContainerContext } from './context.js';
import { endProcesses } from './kill.js';
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
    images.adopt(record.id, record.imageId);
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
      if (identify(status.processes.init.pid)?.startTime !== status.processes.init.startTime)
        await context.exits.ended(record.id);
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
      await endStrayProcesses(context, record);
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

/** The daemon was killed during `create`: its conmon and init are known by their pid files alone. */
async function endStrayProcesses(context: ContainerContext, record: ContainerRecord): Promise<void> {
  const { bundle } = containerPaths(context.stateDir, record.id);
  const [init, monitor] = await Promise.all(
    ['pid', 'conmon.pid'].map((name) => ownProcess(join(bundle, name), record.id)),
  );
  const dead = { pid: 0, startTime: '' };
  await endProcesses({ init: init ?? dead, monitor: monitor ?? dead });
}

/** The process of a pid file, if it is still the one meant: its command line or cgroup names the container. */
async function ownProcess(file: string, id: string) {
  const pid = Number(await readFile(file, 'utf8').catch(() => ''));
  const process = pid > 1 ? identify(pid) : undefined;
  if (process === undefined) return undefined;
  const [cmdline, cgroup] = await Promise.all(
    ['cmdline', 'cgroup'].map((name) => readFile(`/proc/${pid}/${name}`, 'utf8').catch(() => '')),
  );
  return `${cmdline ?? ''}${cgroup ?? ''}`.includes(id) ? process : undefined;
}
