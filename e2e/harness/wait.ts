import { deadlineExceeded, describeError } from '../../src/base/errors.js';
import { sleep } from '../../src/base/abort.js';
import { patience } from './settings.js';

const INTERVAL_MS = 50;

/**
 * Asks until the answer is not undefined, for `usualMs` on a common machine; an error counts as "not yet" and is the
 * cause if time runs out.
 */
export async function waitFor<T>(what: string, usualMs: number, ask: () => Promise<T | undefined>): Promise<T> {
  const timeoutMs = patience(usualMs);
  const until = Date.now() + timeoutMs;
  for (;;) {
    const answer = await attempt(ask);
    if ('value' in answer && answer.value !== undefined) return answer.value;
    if (Date.now() > until) throw deadlineExceeded(`no ${what} within ${timeoutMs} ms${reason(answer)}`);
    await sleep(INTERVAL_MS);
  }
}

type Answer<T> = { readonly value: T | undefined } | { readonly error: unknown };

async function attempt<T>(ask: () => Promise<T | undefined>): Promise<Answer<T>> {
  try {
    return { value: await ask() };
  } catch (error) {
    return { error };
  }
}

function reason(answer: Answer<unknown>): string {
  return 'error' in answer ? `: ${describeError(answer.error)}` : '';
}
