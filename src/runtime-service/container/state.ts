import { internal } from '../../base/errors.js';
import type { ContainerProcesses, ContainerState, ContainerStatus, ExitedStatus } from './types.js';

/** The legal moves; see the diagram at {@link ContainerStatus}. */
const TRANSITIONS: Readonly<Record<ContainerState, readonly ContainerState[]>> = {
  creating: ['created', 'unstartable', 'removing'],
  // From itself by an update of its resources.
  created: ['created', 'running', 'exited'],
  unstartable: ['unstartable', 'exited', 'removing'],
  running: ['running', 'exited'],
  exited: ['removing'],
  removing: ['removing'],
};

/** @throws internal for a move that the table does not list: a bug of ours. */
export function moveContainer<To extends ContainerStatus>(from: ContainerStatus, to: To): To {
  if (TRANSITIONS[from.state].includes(to.state)) return to;
  throw internal(`a container cannot go from ${from.state} to ${to.state}`);
}

/** Undefined where it has none: not yet, not any more, or never. */
export function processesOf(status: ContainerStatus | undefined): ContainerProcesses | undefined {
  return status?.state === 'created' || status?.state === 'running' ? status.processes : undefined;
}

/** What is still told of a container that has ended. */
export function lastsBeyond(now: ContainerStatus): Pick<ExitedStatus, 'startedAt' | 'resources' | 'user'> {
  return {
    ...('startedAt' in now ? { startedAt: now.startedAt } : {}),
    ...('resources' in now ? { resources: now.resources } : {}),
    ...('user' in now ? { user: now.user } : {}),
  };
}
