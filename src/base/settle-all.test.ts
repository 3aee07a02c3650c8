import { expect, it } from '@jest/globals';

import { settleAll } from './settle-all.js';
import { rejection } from './testing.js';

it('waits for all, and throws the first failure by order', async () => {
  let ended = false;
  const late = new Promise<void>((resolve) => setTimeout(resolve, 20)).then(() => {
    ended = true;
  });
  const failed = rejection(settleAll([late, Promise.reject(new RangeError('a')), Promise.reject(new RangeError('b'))]));
  expect((await failed).message).toBe('a');
  expect(ended).toBe(true);
  await settleAll([]);
});
