import { expect, it } from '@jest/globals';

import { nowNs } from './clock.js';

it('tells the time in nanoseconds', () => {
  const now = nowNs();
  expect(now).toMatch(/^\d{19}$/);
  expect(Math.abs(Number(BigInt(now) / 1_000_000n) - Date.now())).toBeLessThan(50);
});

it('never tells the same time twice, nor an earlier one', () => {
  const times = Array.from({ length: 10_000 }, () => BigInt(nowNs()));
  expect(times.every((time, index) => index === 0 || time > (times[index - 1] ?? 0n))).toBe(true);
});
