import { describeError, hasCode } from '../base/errors.js';
import { outsideRequests } from '../base/request-scope.js';
import { watchExit, type ProcessIdentity } from '../base/sys/process.js';
import type { SandboxContext } from './context.js';
import { moveSandbox } from './state.js';
import type { SandboxStatus } from './types.js';

/** A sandbox whose pause process ends is not ready from then on; its network stays until it is stopped. */
export function watchPause(context: SandboxContext, id: string, pause: ProcessIdentity): void {
  outsideRequests(() => void watchExit(pause).ended.then(() => markEnded(context, id)));
}

/** Never fails: what the disk does not take is found out again by the next start. */
export async function markEnded({ store, logger }: SandboxContext, id: string): Promise<void> {
  try {
    const end = (status: SandboxStatus): SandboxStatus =>
      status.state === 'ready' ? moveSandbox(status, { state: 'not-ready', released: false }) : status;
    await store.update(id, end, { evenIfFull: true });
  } catch (error) {
    if (!hasCode(error, 'not-found'))
      logger.error({ sandbox: id, error: describeError(error) }, 'cannot record the end of a sandbox');
  }
}
