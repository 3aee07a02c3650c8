import { getEventListeners } from 'node:events';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

import { describe, expect, it } from '@jest/globals';

import { abortable, abortReason, deadlineSignal, settlesWithin, sleep, throwIfAborted, withDeadline } from './abort.js';
import { notFound } from './errors.js';
import { rejection } from './testing.js';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const never = new Promise<never>(() => undefined);
const onAbort = (signal: AbortSignal) => getEventListeners(signal, 'abort');

describe('abortReason', () => {
  it.each([
    ['a deadline', AbortSignal.abort(new DOMException('x', 'TimeoutError')), 'deadline-exceeded'],
    ['a caller that left', AbortSignal.abort(), 'cancelled'],
    ['a reason of our own', AbortSignal.abort(notFound('x')), 'not-found'],
    ['any other reason', AbortSignal.abort('text'), 'cancelled'],
    ['no signal', undefined, 'cancelled'],
  ])('of %s', (_, signal, code) => {
    expect(abortReason(signal).code).toBe(code);
  });

  it('is thrown only once the signal has fired', () => {
    throwIfAborted(undefined);
    throwIfAborted(new AbortController().signal);
    expect(() => throwIfAborted(AbortSignal.abort())).toThrow('the call was cancelled');
  });
});

describe('abortable', () => {
  it('settles as the promise does and lets go of the signal', async () => {
    const { signal } = new AbortController();
    await expect(abortable(Promise.resolve(7), signal)).resolves.toBe(7);
    await expect(abortable(Promise.reject(notFound('x')), signal)).rejects.toMatchObject({ code: 'not-found' });
    expect(onAbort(signal)).toEqual([]);
  });

  it('rejects when the signal fires, also before', async () => {
    const controller = new AbortController();
    const waiting = abortable(never, controller.signal);
    controller.abort();
    await expect(waiting).rejects.toMatchObject({ code: 'cancelled' });
    await expect(abortable(never, controller.signal)).rejects.toMatchObject({ code: 'cancelled' });
    await expect(abortable(Promise.resolve(7), undefined)).resolves.toBe(7);
  });

  it('leaves no unhandled rejection of work that fails later', async () => {
    const late = sleep(20).then(() => Promise.reject(notFound('late')));
    await expect(abortable(late, AbortSignal.abort())).rejects.toMatchObject({ code: 'cancelled' });
    await sleep(40);
  });
});

describe('sleep', () => {
  it('waits', async () => {
    const begin = performance.now();
    await sleep(30);
    expect(performance.now() - begin).toBeGreaterThan(25);
  });

  it('ends early with the reason, and its timer with it', async () => {
    const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    const before = timers();
    const controller = new AbortController();
    const sleeping = sleep(600_000, controller.signal);
    controller.abort(notFound('gone'));
    await expect(sleeping).rejects.toMatchObject({ code: 'not-found' });
    expect(timers()).toBe(before);
  });
});

describe('deadlineSignal', () => {
  it('fires in time, whatever the garbage collector does', async () => {
    const collecting = setInterval(collectGarbage, 10);
    await expect(abortable(never, deadlineSignal(50))).rejects.toMatchObject({ code: 'deadline-exceeded' });
    clearInterval(collecting);
  });

  it('takes the years that int64 seconds can say', () => {
    expect(deadlineSignal(2 ** 53).aborted).toBe(false);
  });
});

describe('settlesWithin', () => {
  it('is true for what ends, however it does, and false for what does not in time', async () => {
    expect(await settlesWithin(Promise.resolve(7), 60_000)).toBe(true);
    expect(await settlesWithin(Promise.reject(notFound('x')), 60_000)).toBe(true);
    expect(await settlesWithin(never, 10)).toBe(false);
  });
});

describe('withDeadline', () => {
  it('gives the result, and keeps neither timer nor listener', async () => {
    const parent = new AbortController().signal;
    const before = process.getActiveResourcesInfo();
    expect(await withDeadline(600_000, parent, () => Promise.resolve('done'))).toBe('done');
    expect(process.getActiveResourcesInfo()).toEqual(before);
    expect(onAbort(parent)).toEqual([]);
  });

  it('fires after the time, even if only a listener holds the signal and garbage is collected', async () => {
    const collecting = setInterval(collectGarbage, 10);
    const fired = await withDeadline(100, new AbortController().signal, (signal) => {
      return new Promise((resolve) => {
        signal.addEventListener('abort', () => resolve(signal.reason));
      });
    });
    clearInterval(collecting);
    expect(fired).toMatchObject({ code: 'deadline-exceeded' });
  });

  it('fires with the parent, for its reason, also if it has fired before', async () => {
    const controller = new AbortController();
    const waiting = withDeadline(60_000, controller.signal, (signal) => abortable(never, signal));
    controller.abort(notFound('gone'));
    expect((await rejection(waiting)).code).toBe('not-found');
    const late = withDeadline(60_000, controller.signal, (signal) => abortable(never, signal));
    expect((await rejection(late)).code).toBe('not-found');
  });
});
