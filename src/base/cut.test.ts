import { describe, expect, it } from '@jest/globals';

import { cut, cutStrings } from './cut.js';

describe('cut', () => {
  it('leaves alone what is short enough', () => {
    expect(cut('abcdefgh', 8)).toBe('abcdefgh');
  });

  it('keeps both ends, and says how much is gone', () => {
    expect(cut('abcdefghijklmnop', 8)).toBe('abcdef…[8 characters cut]…op');
  });

  it('leaves no half of a surrogate', () => {
    const text = cut('😀'.repeat(100), 9);
    expect(Buffer.from(text).toString()).toBe(text);
    expect(text).toContain('191 characters cut');
  });
});

describe('cutStrings', () => {
  const limits = { text: 8, entries: 2 };

  it('cuts every string and key, however deep', () => {
    const long = 'x'.repeat(20);
    const short = 'xxxxxx…[12 characters cut]…xx';
    expect(cutStrings({ a: { b: [long, 1, null, true] }, [long]: 'ok' }, limits)).toEqual({
      a: { b: [short, 1, '2 more'] },
      [short]: 'ok',
    });
  });

  it('cuts lists and objects after some entries', () => {
    expect(cutStrings([1, 2, 3, 4], limits)).toEqual([1, 2, '2 more']);
    expect(cutStrings({ a: 1, b: 2, c: 3 }, limits)).toEqual({ a: 1, b: 2, '…': '1 more' });
  });

  it('ends on what has no end', () => {
    const ring: Record<string, unknown> = {};
    ring['self'] = ring;
    expect(JSON.stringify(cutStrings(ring, limits))).toContain('…');
  });
});
