import { describe, expect, it } from '@jest/globals';

import { imageTable, sizeText } from './image-summary.js';

describe('imageTable', () => {
  it('has a line for each tag, else for the first digest, else none', () => {
    const image = { id: `sha256:${'ab'.repeat(32)}`, repoTags: [], repoDigests: [], size: 1_234_567, pinned: false };
    const images = [image, { ...image, repoDigests: ['d@1', 'd@2'] }, { ...image, repoTags: ['b', 'a'], pinned: true }];
    expect(imageTable(images).split('\n').slice(1)).toEqual([
      '<none>  abababababab  1.2 MB',
      'a       abababababab  1.2 MB  yes',
      'b       abababababab  1.2 MB  yes',
      'd@1     abababababab  1.2 MB',
    ]);
  });
});

describe('sizeText', () => {
  it('writes bytes for people', () => {
    expect([0, 999, 1000, 12_345, 5e9, 7e15].map(sizeText)).toEqual([
      '0 B',
      '999 B',
      '1.0 kB',
      '12.3 kB',
      '5.0 GB',
      '7000.0 TB',
    ]);
  });
});
