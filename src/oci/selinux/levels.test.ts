import { describe, expect, it } from '@jest/globals';

import { PodLevels } from './levels.js';

/** The numbers in turn. */
function sequence(...numbers: number[]): (below: number) => number {
  return () => numbers.shift() ?? 7;
}

describe('PodLevels', () => {
  it('gives pairs in order, and never one number twice', () => {
    expect(new PodLevels(sequence(5, 5, 9, 2)).take(new Set())).toBe('s0:c2,c9');
  });

  it('gives none that is in use, was given lately or is kept', () => {
    const levels = new PodLevels(sequence(1, 2, 3, 4, 4, 3, 1022, 1023, 8, 9));
    expect(levels.take(new Set(['s0:c1,c2']))).toBe('s0:c3,c4');
    expect(levels.take(new Set())).toBe('s0:c8,c9');
  });

  it('gives different ones, within 1024 categories', () => {
    const levels = new PodLevels();
    const given = Array.from({ length: 2_000 }, () => levels.take(new Set()));
    expect(new Set(given.slice(0, 1_000)).size).toBe(1_000);
    const numbers = given.flatMap((level) => (/^s0:c(\d+),c(\d+)$/.exec(level) ?? []).slice(1).map(Number));
    expect(numbers).toHaveLength(4_000);
    expect(Math.max(...numbers)).toBeLessThan(1024);
  });
});
