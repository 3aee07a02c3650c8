import { abortReason } from '../../base/abort.js';
import { codeOf, describeError, failedPrecondition, GantryError, hasCode, type ErrorCode } from '../../base/errors.js';
import type { RegistrySession } from './session.js';

/** Errors that say more than others, first: what a mirror lacks, another endpoint may have refused. */
const TELLING: readonly ErrorCode[] = [
  'data-loss',
  'permission-denied',
  'unauthenticated',
  'unimplemented',
  'failed-precondition',
  'resource-exhausted',
  'internal',
  'unavailable',
  'not-found',
];

/** Runs `attempt` with one session after the other until one succeeds. @throws one error that names all failures. */
export async function firstOf<T>(
  sessions: readonly RegistrySession[],
  what: string,
  options: { readonly attempt: (session: RegistrySession) => Promise<T>; readonly signal?: AbortSignal | undefined },
): Promise<T> {
  const failures: unknown[] = [];
  for (const session of reachableFirst(sessions)) {
    try {
      return await options.attempt(session);
    } catch (error) {
      if (options.signal?.aborted) throw abortReason(options.signal);
      if (hasCode(error, 'unavailable')) session.unreachable = true;
      failures.push(error);
    }
  }
  throw allFailed(failures, what);
}

/** An endpoint that gave no answer is asked last for the rest of the pull: each layer would wait for it again. */
function reachableFirst(sessions: readonly RegistrySession[]): RegistrySession[] {
  return sessions.toSorted((a, b) => Number(a.unreachable) - Number(b.unreachable));
}

/** One error for the failures of all endpoints, with the code of the most telling one. */
export function allFailed(failures: readonly unknown[], what: string): GantryError {
  if (failures.length === 0)
    return failedPrecondition(`${what}: no endpoint may be asked, see its hosts.toml or registries.conf`);
  const codes = failures.map((failure) => codeOf(failure) ?? 'internal');
  const code = TELLING.find((telling) => codes.includes(telling)) ?? codes[0] ?? 'internal';
  const messages = [...new Set(failures.map(describeError))];
  return new GantryError(code, `${what}: ${messages.join('; ')}`);
}
