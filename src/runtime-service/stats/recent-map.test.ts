import { describe, expect, it } from '@jest/globals';

import { RecentMap } from './recent-map.js';

describe('RecentMap', () => {
  it('keeps what was set lately', () => {
    const map = new RecentMap<number>(60_000);
    map.set('a', 1);
    map.set('b', 2);
    map.set('a', 3);
    expect([map.get('a'), map.get('b'), map.get('c'), map.size]).toEqual([3, 2, undefined, 2]);
  });

  it('forgets what was not set for long, when something is set', () => {
    let now = 0;
    const map = new RecentMap<number>(40, () => now);
    map.set('old', 1);
    map.set('renewed', 1);
    now = 25;
    map.set('renewed', 2);
    now = 50;
    map.set('new', 3);
    expect([map.get('old'), map.get('renewed'), map.get('new'), map.size]).toEqual([undefined, 2, 3, 2]);
  });
});
