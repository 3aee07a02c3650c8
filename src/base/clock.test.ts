import { expect, it } from '@jest/globals';

import { nowNs } from './clock.js';

it('tells the time in nanoseconds', () => {
  const before = Date.now();
  const now = nowNs();
  const after = Date.now();
  expect(now).toMatch(/^\d{19}$/);
  const ms = Number(BigInt(now) / 1_000_000n);
  // It follows the monotonic clock as long as the two are within 2 ms.
  expect(ms).toBeGreaterThanOrEqual(before - 3);
  expect(ms).toBeLessThanOrEqual(after + 3);
});

it('never tells the same time twice, nor an earlier one', () => {
  const times = Array.from({ length: 10_000 }, () => BigInt(nowNs()));
  expect(times.every((time, index) => index === 0 || time > (times[index - 1] ?? 0n))).toBe(true);
});
