import { describe, expect, it } from '@jest/globals';

import { atLeast, selectVersion } from './version.js';

describe('CNI versions', () => {
  it.each([
    [['0.3.1'], '0.3.1'],
    [['1.0.0', '0.4.0'], '1.0.0'],
    [['0.3.1', '0.4.0', '1.0.0', '1.1.0', '1.2.0', '2.0.0'], '1.1.0'],
    [['0.2.0'], undefined],
    [['1.0'], undefined],
    [[], undefined],
  ])('selects of %j the highest that is spoken', (offered, version) => {
    expect(selectVersion(offered)).toBe(version);
  });

  it('orders them', () => {
    expect(atLeast('0.4.0', '0.4.0')).toBe(true);
    expect(atLeast('1.0.0', '0.4.0')).toBe(true);
    expect(atLeast('0.3.1', '0.4.0')).toBe(false);
  });
});
