import { getEventListeners } from 'node:events';

import { describe, expect, it } from '@jest/globals';

import { sleep } from './abort.js';
import { notFound } from './errors.js';
import { KeyedLock } from './keyed-lock.js';

/** A lock's holder that lets go when told. */
function held(lock: KeyedLock, key: string) {
  const released = new AbortController();
  const until = new Promise<void>((resolve) => {
    released.signal.addEventListener('abort', () => resolve());
  });
  return { done: lock.run(key, () => until), release: () => released.abort() };
}

describe('KeyedLock', () => {
  it('grants a key in the order of asking, one at a time', async () => {
    const lock = new KeyedLock();
    const seen: string[] = [];
    const work = (name: string) => async (): Promise<void> => {
      seen.push(`${name} in`);
      await sleep(5);
      seen.push(`${name} out`);
    };
    await Promise.all(['a', 'b', 'c'].map((name) => lock.run('key', work(name))));
    expect(seen).toEqual(['a in', 'a out', 'b in', 'b out', 'c in', 'c out']);
  });

  it('lets different keys pass each other, and forgets idle ones', async () => {
    const lock = new KeyedLock();
    const first = held(lock, 'a');
    expect(await lock.run('b', () => Promise.resolve(7))).toBe(7);
    expect(lock.size).toBe(1);
    first.release();
    await first.done;
    expect(lock.size).toBe(0);
  });

  it('is released by one that throws, at once or later', async () => {
    const lock = new KeyedLock();
    const fail = (): Promise<never> => {
      throw notFound('x');
    };
    await expect(lock.run('a', fail)).rejects.toMatchObject({ code: 'not-found' });
    await expect(lock.run('a', () => Promise.reject(notFound('x')))).rejects.toMatchObject({ code: 'not-found' });
    expect(await lock.run('a', () => Promise.resolve('free'))).toBe('free');
    expect(lock.size).toBe(0);
  });

  it('takes a waiter out of the queue when its signal fires', async () => {
    const lock = new KeyedLock();
    const first = held(lock, 'a');
    const controller = new AbortController();
    let ran = false;
    const second = lock.run('a', () => Promise.resolve((ran = true)), controller.signal);
    const third = lock.run('a', () => Promise.resolve('third'));
    controller.abort();
    await expect(second).rejects.toMatchObject({ code: 'cancelled' });
    first.release();
    expect(await third).toBe('third');
    expect(ran).toBe(false);
    expect(lock.size).toBe(0);
  });

  it('never takes the lock with a signal that has fired, and no longer listens once it holds it', async () => {
    const lock = new KeyedLock();
    const run = lock.run('a', () => Promise.resolve(), AbortSignal.abort());
    await expect(run).rejects.toMatchObject({ code: 'cancelled' });
    expect(lock.size).toBe(0);
    const first = held(lock, 'a');
    const controller = new AbortController();
    const second = lock.run('a', () => sleep(10), controller.signal);
    first.release();
    await first.done;
    await sleep(0);
    controller.abort();
    await second;
    expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
  });
});
