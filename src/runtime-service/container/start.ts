import { nowNs } from '../../base/clock.js';
import { failedPrecondition } from '../../base/errors.js';
import type { ContainerContext } from './context.js';
import { killContainer } from './kill.js';
import { moveContainer } from './state.js';
import type { ContainerProcesses, ContainerRecord, ContainerStatus } from './types.js';

/**
 * Starts a created container (CRI StartContainer).
 * @throws not-found; failed-precondition for one that was started before or has ended.
 */
export async function startContainer(context: ContainerContext, idOrPrefix: string): Promise<void> {
  const { id } = context.store.find(idOrPrefix).record;
  await context.locks.run(id, async () => {
    const { record, status } = context.store.find(id);
    if (status.state !== 'created') throw failedPrecondition(`container "${id}" is ${status.state}, not created`);
    await context.exits.starting(id, () => start(context, record, status.processes));
  });
}

async function start(context: ContainerContext, record: ContainerRecord, processes: ContainerProcesses): Promise<void> {
  const startedAt = nowNs();
  await context.runtimes.of(record).start(record.id);
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
