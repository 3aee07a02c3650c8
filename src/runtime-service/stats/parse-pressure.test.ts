import { describe, expect, it } from '@jest/globals';

import { V2_CGROUP } from './cgroup-fixture.js';
import { parsePressure } from './parse-pressure.js';

describe('parsePressure', () => {
  it('reads both lines, with times in nanoseconds', () => {
    expect(parsePressure(V2_CGROUP['cpu.pressure'])).toEqual({
      some: { totalNs: 5_200_300_000n, avg10: 12.5, avg60: 3.25, avg300: 0.75 },
      full: { totalNs: 900_200_000n, avg10: 1.5, avg60: 0.5, avg300: 0.1 },
    });
  });

  it('reads one line, which is what older kernels have for cpu', () => {
    expect(parsePressure('some avg10=0.00 avg60=0.00 avg300=0.00 total=1\n')).toEqual({
      some: { totalNs: 1000n, avg10: 0, avg60: 0, avg300: 0 },
    });
  });

  it.each([undefined, '', 'some avg10=x avg60=0.00 avg300=0.00 total=1\n', 'most total=1\n'])(
    'is none for %j',
    (text) => {
      expect(parsePressure(text)).toBeUndefined();
    },
  );
});
