import { expect, it } from '@jest/globals';

import { descriptorShares, openFilesLimit } from './descriptor-shares.js';

it.each([256, 512, 1_024, 4_096, 65_536, 1_048_576, Infinity])('leaves most of %d descriptors to pods', (limit) => {
  const shares = descriptorShares(limit);
  const { streamSessions, ...connections } = shares;
  const sum = Object.values(connections).reduce((total, count) => total + count, 0);
  expect(sum).toBeLessThan(limit / 2);
  // A session of exec has its connection, pipes or terminals with both ends for a moment, and pidfds.
  if (limit < 1e6) expect(sum + 6 * streamSessions).toBeLessThan(limit / 2);
  for (const count of Object.values(shares)) expect(count).toBeGreaterThanOrEqual(4);
});

it('knows the limit of this process', () => {
  expect(openFilesLimit()).toBeGreaterThanOrEqual(256);
});
