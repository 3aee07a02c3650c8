import { describe, expect, it } from '@jest/globals';

import { BoundedMap } from './bounded-map.js';

describe('BoundedMap', () => {
  it('forgets what was set first', () => {
    const map = new BoundedMap<string, number>(2);
    map.set('a', 1).set('b', 2).set('a', 3);
    expect([...map]).toEqual([
      ['b', 2],
      ['a', 3],
    ]);
    map.set('c', 4);
    expect([...map.keys()]).toEqual(['a', 'c']);
  });
});
