import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import type { Spec } from '../scripts/test-reports.js';
import {
  critest,
  CRITEST_MS,
  DIGEST_SPEC,
  HOST_PORTS,
  newestOutcome,
  newestRuntime,
  outcomeOf,
  SERIAL,
  WEBSOCKET,
} from './harness/critest.js';
import { critestSuite } from './harness/critest-suite.js';
import { openHouse, type House } from './harness/house.js';
import { SETTINGS } from './harness/settings.js';

const PART = SETTINGS.critest;

/**
 * All specs of critest, streaming by SPDY and again by WebSocket: both at once where specs may, which is twice the
 * load and half the time.
 */
(PART === 'both' ? describe : describe.skip)('critest, both ways of streaming', () => {
  let house: House;
  const spdy: Spec[] = [];
  const websocket: Spec[] = [];
  beforeAll(async () => {
    house = await openHouse(() => Promise.resolve(newestRuntime()));
  });
  afterAll(() => house.close());

  it(
    'passes by SPDY and by WebSocket at once',
    async () => {
      const [first, second] = await Promise.all([
        critest(house, { name: 'spdy', skip: SERIAL }),
        critest(house, { name: 'websocket', skip: `${SERIAL}|${HOST_PORTS}`, args: WEBSOCKET }),
      ]);
      spdy.push(...first);
      websocket.push(...second);
      expect([outcomeOf(first).failed, outcomeOf(second).failed]).toEqual([[], []]);
    },
    CRITEST_MS,
  );

  it.each([
    { name: 'spdy-serial', focus: SERIAL, args: [], specs: spdy },
    { name: 'websocket-serial', focus: `${SERIAL}|${HOST_PORTS}`, args: WEBSOCKET, specs: websocket },
  ])(
    'passes $name',
    async ({ specs, ...asked }) => {
      const found = await critest(house, asked);
      specs.push(...found);
      expect(outcomeOf(found).failed).toEqual([]);
    },
    CRITEST_MS,
  );

  it('has run every spec, each way', async () => {
    const whole = await newestOutcome();
    expect([outcomeOf(spdy), outcomeOf(websocket)]).toEqual([whole, whole]);
  });

  it.skip(`${DIGEST_SPEC} (only its registry has that content)`, async () => {
    expect(await critest(house, { name: 'digest', focus: DIGEST_SPEC })).toMatchObject([{ outcome: 'passed' }]);
  });

  it('leaves nothing behind', () => house.assertEmpty());
});

/** What a kernel and its cgroups decide, for machines that are too slow for all. */
const SHORT = {
  focus:
    'Container OOM|PodPID|Mount Propagation|dropping ALL|ReadonlyPaths|RunAsUserName|should support execSync|DNS config|sysctls',
  args: [],
};
const WAYS = {
  spdy: { args: [], outcome: newestOutcome },
  websocket: { args: WEBSOCKET, outcome: newestOutcome },
  short: { ...SHORT, outcome: () => Promise.resolve({ passed: 13, skipped: {}, failed: [] }) },
};

const WAY = PART === 'both' ? 'spdy' : PART;
const { outcome, ...asked } = WAYS[WAY];

/** As it is chosen for machines that have no time for both. */
critestSuite(`critest, in part: ${PART}`, { asked: { name: WAY, ...asked }, outcome, wanted: PART !== 'both' });
