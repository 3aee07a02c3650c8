import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { critest, CRITEST_MS, newestOutcome, newestRuntime, outcomeOf } from './harness/critest.js';
import { openHouse, type House } from './harness/house.js';
import { SETTINGS } from './harness/settings.js';

/** Kubelets of two releases are in use at a time. */
(SETTINGS.full ? describe : describe.skip)('critest of the release before (with GANTRY_E2E_FULL=1)', () => {
  let house: House;
  beforeAll(async () => {
    house = await openHouse(() => Promise.resolve(newestRuntime()));
  });
  afterAll(() => house.close());

  it(
    'passes',
    async () => {
      const release = '1.36';
      expect(outcomeOf(await critest(house, { name: 'before', release }))).toEqual(await newestOutcome(release));
    },
    CRITEST_MS,
  );

  it('leaves nothing behind', () => house.assertEmpty());
});
