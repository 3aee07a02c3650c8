import { describe, expect, it } from '@jest/globals';

import { median } from './median.js';
import { reportText } from './report.js';

describe('median', () => {
  it.each([
    [[3], 3],
    [[9, 1, 5], 5],
    [[4, 1, 3, 2], 2.5],
  ])('of %p', (values, expected) => {
    expect(median(values)).toBe(expected);
  });
});

describe('reportText', () => {
  it('tells what is kept and what is missed', () => {
    const loopDelay = { maxMs: 30, p99Ms: 3 };
    const text = reportText([
      {
        shape: 'small files',
        gantry: [{ seconds: 1, cpuSeconds: 0.5, memory: 50_000_000, loopDelay }],
        containerd: [{ seconds: 2, cpuSeconds: 0.7, memory: 70_000_000 }],
        execs: [
          { idleMs: 10, pullMs: 25 },
          { idleMs: 10, pullMs: 40 },
          { idleMs: 10, pullMs: 15 },
        ],
      },
    ]);
    expect(text).toContain('ratio of a pair  0.50 (at most 0.7: kept)');
    expect(text).toContain('processor time   gantry 0.5 s, containerd 0.7 s');
    expect(text).toContain('memory over idle 50 MB (at most 120 MB: kept); containerd 70 MB');
    expect(text).toContain('ExecSync ratio   2.50 (at most 2: MISSED); 10.0 ms idle, 25.0 ms during a pull');
    expect(text).toContain('each: 2.50 4.00 1.50');
    expect(text).toContain('event loop, max  30.0 ms (at most 20 ms: MISSED); 99 % below 3.0 ms');
  });
});
