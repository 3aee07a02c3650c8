import { expect, it } from '@jest/globals';

import { isId, newId } from './ids.js';

it('makes ids, each of its own', () => {
  const ids = Array.from({ length: 100 }, newId);
  expect(ids.every(isId)).toBe(true);
  expect(new Set(ids).size).toBe(100);
});

it.each(['', 'abc', 'A'.repeat(64), 'g'.repeat(64), `${'a'.repeat(64)}\n`, '../'.padEnd(64, 'a')])(
  'takes %j for no id',
  (text) => {
    expect(isId(text)).toBe(false);
  },
);
