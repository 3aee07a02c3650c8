import { constants } from 'node:fs';
import { lstat, open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

import { settlesWithin, sleep } from '../../base/abort.js';
import { deadlineExceeded, errnoOf, failedPrecondition } from '../../base/errors.js';
import { makeHostDirectory, typesOfPaths } from '../../base/host-paths.js';
import { isAlive } from '../../base/sys/process.js';
import { inodeName, LentLog, type LogPlace } from '../../oci/monitor-log.js';
import type { ContainerContext } from './context.js';
import { containerPaths } from './paths.js';
import { logPlace } from './record.js';
import type { ContainerProcesses, ContainerRecord } from './types.js';

const REOPEN_TIMEOUT_MS = 5_000;
const LOOK_AGAIN_MS = 5;
const LOOK_LATE_MS = 200;
/** conmon's control message for "reopen the logs". */
const REOPEN = '2 0 0\n';

/**
 * Has conmon write to a new file at the log's path, after the old one was renamed (CRI ReopenContainerLog). A log that was
 * not renamed stays as it is: conmon would empty it, and its lines would be lost.
 * @throws not-found; failed-precondition if the container does not run, has no log, or its monitor is gone;
 * invalid-argument where something else has the log's place; deadline-exceeded if conmon does not answer.
 */
export async function reopenLog(context: ContainerContext, idOrPrefix: string): Promise<void> {
  const { id } = context.store.find(idOrPrefix).record;
  await context.locks.run(id, async () => {
    const { record, status } = context.store.find(id);
    if (status.state !== 'running') throw failedPrecondition(`container "${id}" does not run: it is ${status.state}`);
    const place = logPlace(record, context.sandboxes.find(record.sandboxId).record);
    if (place === undefined) throw failedPrecondition(`container "${id}" has no log`);
    await ensureLogDirectory(place);
    const { processes } = status;
    const before = late.get(id);
    if (before !== undefined) await inTime(record, before);
    if (await hasOpen(processes, await inodeAt(record.logPath))) return;
    await reopen(record, processes, { place, bundle: containerPaths(context, record).bundle });
  });
}

async function ensureLogDirectory({ directory }: LogPlace): Promise<void> {
  const what = 'log directory';
  const types = await typesOfPaths([directory], { what });
  if (!types.has(directory)) await makeHostDirectory(directory, { what });
}

async function reopen(
  record: ContainerRecord,
  processes: ContainerProcesses,
  { place, bundle }: { readonly place: LogPlace; readonly bundle: string },
): Promise<void> {
  const log = await LentLog.lend(place, bundle, 'log.tmp');
  const over = (async () => {
    try {
      await tellMonitor(record, join(bundle, 'ctl'));
      if (await isReopened(log, record, processes)) await log.settle();
    } finally {
      await log.giveBack();
      late.delete(record.id);
    }
  })();
  late.set(record.id, over);
  await inTime(record, over);
}

/**
 * Of monitors that have not reopened yet. They must still find what they were told to open: without it they would end, and
 * exit codes with them. And they are not told again: of two messages that arrive together conmon follows the first twice.
 */
const late = new Map<string, Promise<void>>();

async function inTime({ id, logPath }: ContainerRecord, over: Promise<void>): Promise<void> {
  if (await settlesWithin(over, REOPEN_TIMEOUT_MS)) return over;
  throw deadlineExceeded(`the monitor of container "${id}" does not reopen ${logPath}`);
}

/**
 * True when conmon has it open; false when it has one of its own making, as what an older version started: that has the
 * log's own path.
 */
async function isReopened(
  log: LentLog,
  { id, logPath }: ContainerRecord,
  processes: ContainerProcesses,
): Promise<boolean> {
  for (let wait = LOOK_AGAIN_MS; !(await log.isTaken()); wait = Math.min(2 * wait, LOOK_LATE_MS)) {
    if (!isAlive(processes.monitor)) throw failedPrecondition(`container "${id}" has no monitor any more`);
    if (await hasOpen(processes, await inodeAt(logPath))) return false;
    await sleep(wait);
  }
  return true;
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

/** Whether conmon has the very file open. */
async function hasOpen({ monitor }: ContainerProcesses, inode: string | undefined): Promise<boolean> {
  const dir = `/proc/${monitor.pid}/fd`;
  const names = await readdir(dir).catch(() => []);
  const open = await Promise.all(names.map((fd) => stat(join(dir, fd), { bigint: true }).catch(() => undefined)));
  return open.some((file) => file?.isFile() && inodeName(file) === inode);
}

async function inodeAt(path: string): Promise<string | undefined> {
  const found = await lstat(path, { bigint: true }).catch(() => undefined);
  return found?.isFile() ? inodeName(found) : undefined;
}
