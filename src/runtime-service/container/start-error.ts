import { nowNs } from '../../base/clock.js';
import type { ContainerContext } from './context.js';
import { lastsBeyond, moveContainer } from './state.js';
import type { ContainerStatus, ExitedStatus } from './types.js';

/** What containerd says, and kubelet shows, of a container that could not be started. */
const START_ERROR = { exitCode: 128, reason: 'StartError' } as const;

/** Puts on record that a container has ended for that, unless its end is on record already. */
export async function recordStartError(
  { store }: Pick<ContainerContext, 'store'>,
  id: string,
  message: string,
): Promise<void> {
  const end = (now: ContainerStatus): ContainerStatus =>
    now.state === 'created' || now.state === 'unstartable' ? moveContainer(now, failed(now, message)) : now;
  await store.update(id, end, { evenIfFull: true });
}

function failed(now: ContainerStatus, message: string): ExitedStatus {
  return { state: 'exited', finishedAt: nowNs(), message, ...START_ERROR, ...lastsBeyond(now) };
}
