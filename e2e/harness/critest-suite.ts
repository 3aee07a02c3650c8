import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { critest, CRITEST_MS, newestRuntime, outcomeOf, type CritestRun } from './critest.js';
import { openHouse, type House } from './house.js';

export interface CritestSuite {
  readonly asked: CritestRun;
  /** What it must come to. */
  readonly outcome: () => Promise<ReturnType<typeof outcomeOf>>;
  /** Else the suite counts as skipped. */
  readonly wanted: boolean;
}

/** A suite that is one run of critest. */
export function critestSuite(title: string, { asked, outcome, wanted }: CritestSuite): void {
  (wanted ? describe : describe.skip)(title, () => {
    let house: House;
    beforeAll(async () => {
      house = await openHouse(() => Promise.resolve(newestRuntime()));
    });
    afterAll(() => house.close());

    it(
      'passes',
      async () => {
        expect(outcomeOf(await critest(house, asked))).toEqual(await outcome());
      },
      CRITEST_MS,
    );

    it('leaves nothing behind', () => house.assertEmpty());
  });
}
