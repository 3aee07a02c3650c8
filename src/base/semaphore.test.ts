import { expect, it } from '@jest/globals';

import { sleep } from './abort.js';
import { notFound } from './errors.js';
import { Semaphore } from './semaphore.js';

it('lets in as many as it says, in the order of asking, also past failures', async () => {
  const semaphore = new Semaphore(2);
  let inside = 0;
  let most = 0;
  const order: number[] = [];
  const work = (n: number) => async (): Promise<number> => {
    order.push(n);
    most = Math.max(most, ++inside);
    await sleep(5);
    inside--;
    if (n % 2 === 1) throw notFound(String(n));
    return n;
  };
  const results = await Promise.allSettled([0, 1, 2, 3, 4, 5, 6].map((n) => semaphore.run(work(n))));
  expect(most).toBe(2);
  expect(order).toEqual([0, 1, 2, 3, 4, 5, 6]);
  expect(results.map(({ status }) => status === 'fulfilled')).toEqual([true, false, true, false, true, false, true]);
  expect(await semaphore.run(work(8))).toBe(8);
});

it('gives the place back when an operation throws at once', async () => {
  const semaphore = new Semaphore(1);
  const fail = (): Promise<never> => {
    throw notFound('x');
  };
  await expect(semaphore.run(fail)).rejects.toMatchObject({ code: 'not-found' });
  expect(await semaphore.run(() => Promise.resolve('free'))).toBe('free');
});
