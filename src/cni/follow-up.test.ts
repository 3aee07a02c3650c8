import { describe, expect, it } from '@jest/globals';

import { FollowUp } from './follow-up.js';

describe('FollowUp', () => {
  it('serves a burst with the run under way and one more', async () => {
    let runs = 0;
    const task = new FollowUp(async () => {
      runs++;
      await new Promise((resolve) => setTimeout(resolve, 10));
    });
    const first = task.run();
    const rest = [task.run(), task.run(), task.run()];
    await first;
    expect(runs).toBe(1);
    await Promise.all(rest);
    expect(runs).toBe(2);
    await task.run();
    expect(runs).toBe(3);
  });

  it('runs again after a failure', async () => {
    let runs = 0;
    const task = new FollowUp(async () => {
      await Promise.resolve();
      if (++runs === 1) throw new RangeError('first');
    });
    const first = task.run();
    const second = task.run();
    await expect(first).rejects.toThrow('first');
    await second;
    expect(runs).toBe(2);
  });
});
