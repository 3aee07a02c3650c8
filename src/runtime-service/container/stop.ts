import { settlesWithin } from '../../base/abort.js';
import { deadlineExceeded } from '../../base/errors.js';
import { signalProcess } from '../../base/sys/process.js';
import type { ContainerContext } from './context.js';
import { containersOf } from './of-sandbox.js';
import { killContainer } from './kill.js';
import { recordStartError } from './start-error.js';
import { signalNumber } from './signals.js';
import { processesOf } from './state.js';

/** How long a container may take to end after SIGKILL before the caller is told. */
const KILL_GRACE_MS = 20_000;

/**
 * Ends a container: its stop signal, and after `timeoutSeconds` SIGKILL (CRI StopContainer). Takes no lock, so that a
 * second call with a shorter timeout is heard at once. One that cannot be started has ended then, for that. Ended already, or
 * unknown, is fine.
 */
export async function stopContainer(context: ContainerContext, id: string, timeoutSeconds: number): Promise<void> {
  const container = context.store.get(id);
  if (container?.status.state === 'unstartable') return recordStartError(context, id, container.status.message);
  const processes = processesOf(container?.status);
  if (container === undefined || processes === undefined) return;
  const ended = context.exits.ended(id);
  if (timeoutSeconds > 0 && container.status.state === 'running') {
    signalProcess(processes.init, signalNumber(container.record.stopSignal));
    if (await settlesWithin(ended, timeoutSeconds * 1000)) return;
  }
  context.exits.expectKill(id);
  await killContainer(container.record, processes);
  if (!(await settlesWithin(ended, KILL_GRACE_MS)))
    throw deadlineExceeded(`container "${id}" does not end after SIGKILL`);
}

/** Ends all containers of a sandbox at once, without grace (CRI StopPodSandbox). */
export async function killContainersOf(context: ContainerContext, sandboxId: string): Promise<void> {
  const containers = containersOf(context.store, sandboxId);
  await Promise.all(containers.map(({ record }) => stopContainer(context, record.id, 0)));
}
