import { nowNs } from '../../base/clock.js';
import { failedPrecondition } from '../../base/errors.js';
import type { ContainerContext } from './context.js';
import { moveContainer } from './state.js';

/**
 * Starts a created container (CRI StartContainer).
 * @throws not-found; failed-precondition for one that was started before or has ended.
 */
export async function startContainer(context: ContainerContext, idOrPrefix: string): Promise<void> {
  const { id } = context.store.find(idOrPrefix).record;
  await context.locks.run(id, async () => {
    const { record, status } = context.store.find(id);
    if (status.state !== 'created') throw failedPrecondition(`container "${id}" is ${status.state}, not created`);
    const startedAt = nowNs();
    await context.runtimes.get(record.handler).start(id);
    await context.store.update(id, (now) => {
      if (now.state === 'created') return moveContainer(now, { ...now, state: 'running', startedAt });
      // It has ended already.
      return now.state === 'exited' ? moveContainer(now, { ...now, startedAt }) : now;
    });
  });
}
