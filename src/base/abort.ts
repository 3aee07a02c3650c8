import { setTimeout as sleepFor } from 'node:timers/promises';

import type { GantryError } from './errors.js';
import { cancelled, codeOf, deadlineExceeded } from './errors.js';

/** The error that an aborted signal stands for: a deadline, or the caller going away. */
export function abortReason(signal: AbortSignal | undefined): GantryError {
  const reason: unknown = signal?.reason;
  if (codeOf(reason) !== undefined) return reason as GantryError;
  if (isNamed(reason, 'TimeoutError')) return deadlineExceeded('the deadline passed', reason);
  return cancelled('the call was cancelled', reason);
}

/** Throws what {@link abortReason} says if the signal has fired. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw abortReason(signal);
}

/** Settles as the promise does, or rejects when the signal fires first; the work itself goes on. */
export function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(abortReason(signal));
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
    const forget = (): void => signal.removeEventListener('abort', onAbort);
    promise.then(resolve, reject).finally(forget);
  });
}

/** Waits `ms` milliseconds, or rejects when the signal fires. */
export async function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  try {
    await sleepFor(ms, undefined, signal === undefined ? {} : { signal });
  } catch {
    throw abortReason(signal);
  }
}

/** Timers hold 31 bits: a longer wait would end at once. */
const LONGEST_MS = 2 ** 31 - 1;

/** A signal that fires after `ms` milliseconds, or at the latest after 24 days. */
export function deadlineSignal(ms: number): AbortSignal {
  return AbortSignal.timeout(Math.min(ms, LONGEST_MS));
}

/** Whether a promise settles within `ms`; to reject is to settle. It is not cut short. */
export function settlesWithin(promise: Promise<unknown>, ms: number): Promise<boolean> {
  const settled = promise.then(
    () => true,
    () => true,
  );
  return abortable(settled, deadlineSignal(ms)).catch(() => false);
}

/**
 * Runs `fn` with a signal that fires after `ms` milliseconds or with `parent`, and keeps no timer after its end. Not
 * `AbortSignal.any`: on Node 20 the garbage collector takes a timeout that only a combined signal listens to.
 */
export async function withDeadline<T>(
  ms: number,
  parent: AbortSignal | undefined,
  fn: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(deadlineExceeded('the deadline passed')), Math.min(ms, LONGEST_MS));
  const follow = (): void => controller.abort(abortReason(parent));
  if (parent?.aborted) follow();
  else parent?.addEventListener('abort', follow, { once: true });
  try {
    return await fn(controller.signal);
  } finally {
    clearTimeout(timer);
    parent?.removeEventListener('abort', follow);
  }
}

function isNamed(value: unknown, name: string): boolean {
  return typeof value === 'object' && value !== null && 'name' in value && value.name === name;
}
