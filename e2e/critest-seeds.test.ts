import { randomInt } from 'node:crypto';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { critest, CRITEST_MS, outcomeOf, wholeOutcome } from './harness/critest.js';
import { NO_USER_NAMESPACES } from './harness/critest-unfit.js';
import { openHouse, type House } from './harness/house.js';
import { SETTINGS } from './harness/settings.js';

/** Debian's runc 1.1.5 knows no idmapped mounts. */
const OLD_RUNC = wholeOutcome([NO_USER_NAMESPACES]);

(SETTINGS.full ? describe : describe.skip)("critest with the distribution's runtime (with GANTRY_E2E_FULL=1)", () => {
  let house: House;
  beforeAll(async () => {
    house = await openHouse();
  });
  afterAll(() => house.close());

  it.each([1, 2, 3].map((round) => ({ round, seed: randomInt(1, 2 ** 31) })))(
    'passes in any order: round $round, seed $seed',
    async ({ round, seed }) => {
      expect(outcomeOf(await critest(house, { name: `seed-${round}`, seed }))).toEqual(OLD_RUNC);
    },
    CRITEST_MS,
  );

  it('leaves nothing behind', () => house.assertEmpty());
});
