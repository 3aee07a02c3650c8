import { codeFor, failedPrecondition } from '../../base/errors.js';
import { isAlive, type ProcessIdentity } from '../../base/sys/process.js';
import type { ContainerContext } from './context.js';
import { processesOf } from './state.js';

/**
 * What ends in the middle of work that needs it breaks that anywhere: namespaces, cgroups and processes are gone from one moment
 * to the next. Then that is the reason, and nobody's fault, whatever it was that broke. An error that says whose fault it is stays.
 * @param process without which the sandbox or container is not; undefined where it has none any more
 */
export function orEnded(error: unknown, what: string, process: ProcessIdentity | undefined): unknown {
  const lives = process !== undefined && isAlive(process);
  return lives || codeFor(error) !== 'internal' ? error : failedPrecondition(`${what} has ended meanwhile`, error);
}

/** {@link orEnded} of work in a sandbox. */
export function orSandboxEnded(error: unknown, { sandboxes }: ContainerContext, id: string): unknown {
  const status = sandboxes.get(id)?.status;
  return orEnded(error, `sandbox "${id}"`, status?.state === 'ready' ? status.pause : undefined);
}

/** {@link orEnded} of work in a container that was created. */
export function orContainerEnded(error: unknown, { store }: ContainerContext, id: string): unknown {
  return orEnded(error, `container "${id}"`, processesOf(store.get(id)?.status)?.init);
}
