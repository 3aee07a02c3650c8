import { describe, expect, it } from '@jest/globals';

import { present } from './present.js';

describe('present', () => {
  it('leaves out what is undefined, and nothing else', () => {
    expect(Object.keys(present({ a: undefined, b: 0, c: '', d: false, e: 0n }))).toEqual(['b', 'c', 'd', 'e']);
  });
});
