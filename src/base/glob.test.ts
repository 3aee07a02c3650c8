import { describe, expect, it } from '@jest/globals';

import { globMatcher } from './glob.js';

describe('globMatcher', () => {
  it.each([
    ['a', 'a', true],
    ['a', 'ab', false],
    ['a*', 'a', true],
    ['a*', 'ba', false],
    ['*a', 'ba', true],
    ['*a', 'ab', false],
    ['a*a', 'a', false],
    ['a*a', 'aa', true],
    ['a*b*c', 'a-b-b-c', true],
    ['a*b*c', 'a-c-b', false],
    ['*', '', true],
    ['**', 'x', true],
    ['', '', true],
    ['', 'x', false],
    ['a.b', 'axb', false],
    ['x*\n*', 'x\n', true],
  ])('%p and %p: %p', (pattern, text, expected) => {
    expect(globMatcher(pattern)(text)).toBe(expected);
  });

  it('does not take long over many stars', () => {
    expect(globMatcher('*a'.repeat(100) + 'b')('a'.repeat(100_000))).toBe(false);
  });
});
