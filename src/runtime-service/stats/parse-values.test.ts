import { describe, expect, it } from '@jest/globals';

import { FlatFile, less, parseLimit, parseNumber } from './parse-values.js';

describe('parseNumber', () => {
  it('reads counters beyond what a double holds', () => {
    expect(parseNumber('9223372036854775807\n')).toBe(9223372036854775807n);
  });

  it.each([undefined, '', 'max\n', '-1\n', '1 2\n', '0x10'])('finds no number in %j', (text) => {
    expect(parseNumber(text)).toBeUndefined();
  });
});

describe('parseLimit', () => {
  it.each([
    ['104857600\n', 104857600n],
    ['0\n', 0n],
    ['max\n', undefined],
    // Unlimited on v1 with pages of 4 KiB and of 64 KiB.
    ['9223372036854771712\n', undefined],
    ['9223372036854710272\n', undefined],
    [undefined, undefined],
  ])('of %j is %s', (text, limit) => {
    expect(parseLimit(text)).toBe(limit);
  });
});

describe('FlatFile', () => {
  const file = new FlatFile('usage_usec 12\nuser_usec 7\nhugetlb 2MB\n\nodd\n');

  it('finds keys, and takes those that it does not know for 0', () => {
    expect(file.find('usage_usec')).toBe(12n);
    expect(file.get('user_usec')).toBe(7n);
    expect(file.find('nr_periods')).toBeUndefined();
    expect(file.get('nr_periods')).toBe(0n);
  });

  it('passes over lines of another form', () => {
    expect(file.find('hugetlb')).toBeUndefined();
    expect(file.find('odd')).toBeUndefined();
  });

  it('of no file is empty', () => {
    expect(new FlatFile(undefined).find('usage_usec')).toBeUndefined();
  });
});

describe('less', () => {
  it('subtracts, but never below 0', () => {
    expect(less(5n, 3n)).toBe(2n);
    expect(less(3n, 5n)).toBe(0n);
  });
});
