import { describe, expect, it } from '@jest/globals';

import { canonicalDigest } from './digest.js';

describe('canonicalDigest', () => {
  it('does not depend on the order of keys', () => {
    const one = { b: { y: 1, x: [{ q: 1, p: 2 }] }, a: 'text' };
    const other = { a: 'text', b: { x: [{ p: 2, q: 1 }], y: 1 } };
    expect(canonicalDigest(one)).toBe(canonicalDigest(other));
    expect(canonicalDigest(one)).toMatch(/^[0-9a-f]{64}$/);
  });

  it.each([
    [{ a: [1, 2] }, { a: [2, 1] }],
    [{ a: '1' }, { a: 1 }],
    [{ a: null }, {}],
    [{ a: { b: 1 } }, { a: { b: 2 } }],
    [{}, []],
    [JSON.parse('{"__proto__":{"a":1}}') as object, {}],
  ])('tells %p from %p', (one, other) => {
    expect(canonicalDigest(one)).not.toBe(canonicalDigest(other));
  });
});
