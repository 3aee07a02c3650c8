import { internal } from '../base/errors.js';
import type { SandboxState, SandboxStatus } from './types.js';

/** The legal moves; see the diagram at {@link SandboxStatus}. */
const TRANSITIONS: Readonly<Record<SandboxState, readonly SandboxState[]>> = {
  creating: ['ready', 'removing'],
  ready: ['ready', 'not-ready'],
  'not-ready': ['not-ready', 'removing'],
  removing: ['removing'],
};

/** @throws internal for a move that the table does not list: a bug of ours. */
export function moveSandbox<To extends SandboxStatus>(from: SandboxStatus, to: To): To {
  if (TRANSITIONS[from.state].includes(to.state)) return to;
  throw internal(`a sandbox cannot go from ${from.state} to ${to.state}`);
}
