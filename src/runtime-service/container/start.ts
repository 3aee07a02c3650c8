import { nowNs } from '../../base/clock.js';
import { describeError, failedPrecondition } from '../../base/errors.js';
import { isAlive } from '../../base/sys/process.js';
import type { ContainerContext } from './context.js';
import { killContainer } from './kill.js';
import { recordStartError } from './start-error.js';
import { moveContainer } from './state.js';
import type { ContainerProcesses, ContainerRecord, ContainerStatus } from './types.js';

/**
 * Starts a created container (CRI StartContainer). One that cannot be started has exited then, with the code and the reason
 * that kubelet's users know from containerd, so that its pod's restart policy holds.
 * @throws not-found; failed-precondition for one that was started before, has ended, or cannot be started.
 */
export async function startContainer(context: ContainerContext, idOrPrefix: string): Promise<void> {
  const { id } = context.store.find(idOrPrefix).record;
  await context.locks.run(id, async () => {
    const { record, status } = context.store.find(id);
    if (status.state === 'unstartable') {
      await recordStartError(context, id, status.message);
      throw failedPrecondition(`container "${id}" cannot be started: ${status.message}`);
    }
    if (status.state !== 'created') throw failedPrecondition(`container "${id}" is ${status.state}, not created`);
    await context.exits.starting(id, () => start(context, record, status.processes));
  });
}

async function start(context: ContainerContext, record: ContainerRecord, processes: ContainerProcesses): Promise<void> {
  const startedAt = nowNs();
  await runtimeStart(context, record, processes);
  const started = (now: ContainerStatus): ContainerStatus =>
    now.state === 'created' ? moveContainer(now, { ...now, state: 'running', startedAt }) : now;
  try {
    await context.store.update(record.id, started);
  } catch (error) {
    // Without room on disk it would run and be taken for one that waits for its start.
    await killContainer(record, processes);
    throw error;
  }
}

/** A runtime that failed, or hung, may still bring to life what its caller takes for dead. */
async function runtimeStart(
  context: ContainerContext,
  record: ContainerRecord,
  processes: ContainerProcesses,
): Promise<void> {
  try {
    await context.runtimes.of(record).start(record.id);
  } catch (error) {
    // One that has ended before has an exit code of its own.
    if (isAlive(processes.init)) {
      await killContainer(record, processes);
      await recordStartError(context, record.id, describeError(error));
    }
    throw error;
  }
}
