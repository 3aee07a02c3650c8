import { sleep, throwIfAborted } from '../../base/abort.js';
import { codeFor, describeError, failedPrecondition, GantryError, hasCode, type ErrorCode } from '../../base/errors.js';
import type { Breaker } from './breaker.js';
import { isTwin } from './endpoint.js';
import type { RegistrySession } from './session.js';
import { retryAfterOf, transient } from './transient.js';

/** How often and how long to try again. */
export interface RetryPolicy {
  /** Of all servers together, the first one included. */
  readonly rounds: number;
  /** Before the second round; doubled for each one after. */
  readonly baseMs: number;
  /** What a server may ask to wait; who asks for more is not waited for. */
  readonly longestMs: number;
}

export const DEFAULT_RETRY: RetryPolicy = { rounds: 4, baseMs: 500, longestMs: 30_000 };

export interface Patience {
  readonly retry: RetryPolicy;
  readonly breaker: Breaker;
}

export interface FirstOfOptions<T> {
  readonly attempt: (session: RegistrySession) => Promise<T>;
  readonly patience: Patience;
  readonly signal?: AbortSignal | undefined;
}

/** Errors that say more than others, first: what a mirror lacks, another endpoint may have refused. */
const TELLING: readonly ErrorCode[] = [
  'signature-validation-failed',
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

type Failures = Map<RegistrySession, unknown>;

/**
 * Runs `attempt` with one session after the other until one succeeds; then, after a pause, again with those whose failure
 * may pass.
 * @throws one error that names all failures
 */
export async function firstOf<T>(
  sessions: readonly RegistrySession[],
  what: string,
  options: FirstOfOptions<T>,
): Promise<T> {
  const failures: Failures = new Map();
  let left = sessions;
  for (let round = 1; ; round++) {
    const result = await oneRound(left, failures, options);
    if (result !== undefined) return result.value;
    left = worthAnother(telling(failures));
    const asked = Math.min(...left.map((session) => retryAfterOf(failures.get(session)) ?? 0));
    const wait = pauseAfter(round, asked, options.patience.retry);
    if (wait === undefined) throw allFailed([...telling(failures).values()], what);
    await sleep(wait, options.signal);
  }
}

async function oneRound<T>(
  sessions: readonly RegistrySession[],
  failures: Failures,
  { attempt, patience, signal }: FirstOfOptions<T>,
): Promise<{ readonly value: T } | undefined> {
  for (const session of patience.breaker.inOrder(sessions)) {
    if (answeredOtherwise(session, failures)) continue;
    const { base } = session.endpoint;
    try {
      const value = await attempt(session);
      patience.breaker.succeeded(base);
      return { value };
    } catch (error) {
      throwIfAborted(signal);
      const retryAfter = retryAfterOf(error);
      if (retryAfter !== undefined || hasCode(error, 'unavailable'))
        patience.breaker.failed(base, error, retryAfter ?? 0);
      failures.set(session, error);
    }
  }
  return undefined;
}

/** A server that has answered by TLS is not asked by plain HTTP, too, nor the other way round. */
function answeredOtherwise({ endpoint }: RegistrySession, failures: Failures): boolean {
  return [...failures].some(([other, error]) => isTwin(endpoint, other.endpoint) && !hasCode(error, 'unavailable'));
}

/** Without those that only say that a server was asked the wrong way. */
function telling(failures: Failures): Failures {
  return new Map([...failures].filter(([session]) => !answeredOtherwise(session, failures)));
}

/** Nobody, once the registry itself has spoken: it knows better than its mirrors. */
function worthAnother(failures: Failures): RegistrySession[] {
  const all = [...failures];
  const final = all.some(([{ endpoint }, error]) => endpoint.role === 'upstream' && retryAfterOf(error) === undefined);
  return final ? [] : all.filter(([, error]) => retryAfterOf(error) !== undefined).map(([session]) => session);
}

/** Milliseconds until the next round, if there is one (the least wait of nobody is infinite), with some chance in it so that a node's pulls do not come back together. */
function pauseAfter(round: number, asked: number, { rounds, baseMs, longestMs }: RetryPolicy): number | undefined {
  if (round >= rounds || asked > longestMs) return undefined;
  return Math.max(asked, baseMs * 2 ** (round - 1) * (0.75 + Math.random() / 2));
}

/** One error for the failures of all endpoints, with the code of the most telling one, and passing as that is. */
export function allFailed(failures: readonly unknown[], what: string): GantryError {
  if (failures.length === 0)
    return failedPrecondition(`${what}: no endpoint may be asked, see its hosts.toml or registries.conf`);
  const codes = failures.map((failure) => codeFor(failure));
  const code = TELLING.find((telling) => codes.includes(telling)) ?? codes[0] ?? 'internal';
  const messages = [...new Set(failures.map(describeError))];
  const message = `${what}: ${messages.join('; ')}`;
  const retryAfterMs = retryAfterOf(failures[codes.indexOf(code)]);
  return retryAfterMs === undefined ? new GantryError(code, message) : transient(code, message, { retryAfterMs });
}
