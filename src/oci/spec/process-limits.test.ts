import { readFileSync } from 'node:fs';

import { afterEach, describe, expect, it } from '@jest/globals';

import { ownCapabilities } from './capabilities.js';
import { allowedOomScoreAdj } from './oom-score.js';
import { inheritedRlimits } from './rlimits.js';

afterEach(() => {
  delete process.env['GANTRY_NOFILE_SOFT'];
});

describe('inheritedRlimits', () => {
  const hard = Number(/^Max open files\s+\S+\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1]);

  it('gives back the soft limit from before Node raised it', () => {
    process.env['GANTRY_NOFILE_SOFT'] = '1024';
    expect(inheritedRlimits()).toEqual([{ type: 'RLIMIT_NOFILE', soft: 1024, hard }]);
  });

  it.each([undefined, '', 'unlimited', '-1', '0', '1.5', '99999999999'])('leaves it alone for %p', (value) => {
    if (value !== undefined) process.env['GANTRY_NOFILE_SOFT'] = value;
    expect(inheritedRlimits()).toEqual([]);
  });
});

describe('allowedOomScoreAdj', () => {
  it('is never lower than what the kernel lets this process set', () => {
    const own = Number(readFileSync('/proc/self/oom_score_adj', 'utf8'));
    const lowest = ownCapabilities().has('CAP_SYS_RESOURCE') ? -1000 : own;
    expect(allowedOomScoreAdj(-1000)).toBe(lowest);
    expect(allowedOomScoreAdj(1000)).toBe(1000);
  });
});
