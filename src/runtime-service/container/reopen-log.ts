import { constants } from 'node:fs';
import { mkdir, open, readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { sleep } from '../../base/abort.js';
import { deadlineExceeded, errnoOf, failedPrecondition } from '../../base/errors.js';
import type { ContainerContext } from './context.js';
import { containerPaths } from './paths.js';
import type { ContainerProcesses, ContainerRecord } from './types.js';

const REOPEN_TIMEOUT_MS = 5_000;
const LOOK_AGAIN_MS = 5;
/** conmon's control message for "reopen the logs". */
const REOPEN = '2 0 0\n';

/**
 * Has conmon write to a new file at the log's path, after the old one was renamed (CRI ReopenContainerLog). A log that was
 * not renamed stays as it is: conmon would replace it, and its lines would be lost.
 * @throws not-found; failed-precondition if the container does not run, has no log, or its monitor is gone;
 * deadline-exceeded if conmon does not answer.
 */
export async function reopenLog(context: ContainerContext, idOrPrefix: string): Promise<void> {
  const { id } = context.store.find(idOrPrefix).record;
  await context.locks.run(id, async () => {
    const { record, status } = context.store.find(id);
    if (status.state !== 'running') throw failedPrecondition(`container "${id}" does not run: it is ${status.state}`);
    if (record.logPath === '') throw failedPrecondition(`container "${id}" has no log`);
    if (await writesTo(status.processes, record.logPath)) return;
    await mkdir(dirname(record.logPath), { recursive: true, mode: 0o755 });
    await tellMonitor(record, join(containerPaths(context.stateDir, id).bundle, 'ctl'));
    await waitForNewLog(record, status.processes);
  });
}

/** Opened without waiting: the fifo of a dead conmon has no reader. */
async function tellMonitor({ id }: ContainerRecord, fifo: string): Promise<void> {
  try {
    const control = await open(fifo, constants.O_WRONLY | constants.O_NONBLOCK);
    try {
      await control.write(REOPEN);
    } finally {
      await control.close();
    }
  } catch (error) {
    if (errnoOf(error) !== 'ENXIO' && errnoOf(error) !== 'ENOENT') throw error;
    throw failedPrecondition(`container "${id}" has no monitor any more`, error);
  }
}

/** One message at a time: conmon loses the second of two that arrive together, so its effect is awaited. */
async function waitForNewLog({ id, logPath }: ContainerRecord, processes: ContainerProcesses): Promise<void> {
  const end = Date.now() + REOPEN_TIMEOUT_MS;
  while (!(await writesTo(processes, logPath))) {
    if (Date.now() > end) throw deadlineExceeded(`the monitor of container "${id}" does not reopen ${logPath}`);
    await sleep(LOOK_AGAIN_MS);
  }
}

/** Whether conmon has the very file at `path` open. */
async function writesTo({ monitor }: ContainerProcesses, path: string): Promise<boolean> {
  const log = await inodeOf(path);
  if (log === undefined) return false;
  const dir = `/proc/${monitor.pid}/fd`;
  const open = await Promise.all((await readdir(dir).catch(() => [])).map((fd) => inodeOf(join(dir, fd))));
  return open.includes(log);
}

async function inodeOf(path: string): Promise<string | undefined> {
  const found = await stat(path).catch(() => undefined);
  return found?.isFile() ? `${found.dev}:${found.ino}` : undefined;
}
