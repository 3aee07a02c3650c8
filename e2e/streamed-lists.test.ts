import { join } from 'node:path';

import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';

import { run } from '../src/base/spawn.js';
import { TOOLS } from './harness/crictl.js';
import { openHouse, type House } from './harness/house.js';
import { BUSYBOX } from './harness/pods.js';
import { patience } from './harness/settings.js';

const CLIENT = join(TOOLS, 'cri-client');
const TEST_MS = patience(60_000);

/** The tests of e2e/tools/cri-client, which speak with the daemon through kubelet's own client code. */
const TESTS = [
  'TestStreamPodSandboxes',
  'TestStreamContainers',
  'TestStreamImages',
  'TestListsBeyondTheLimitOfAMessage',
  'TestStreamsAreFewMessages',
  'TestStreamContainerStats',
  'TestStreamPodSandboxStats',
  'TestStreamPodSandboxMetrics',
  'TestEventsOfAPodsLife',
  'TestEventsOfManyPods',
];

describe('streamed lists and events, read by a client in Go', () => {
  let house: House;
  beforeAll(async () => {
    house = await openHouse();
  });
  afterAll(() => house.close());
  afterEach(() => house.assertEmpty());

  async function client(...args: string[]): Promise<string> {
    const { exitCode, stdout, stderr } = await run(CLIENT, args, { timeoutMs: 2 * TEST_MS, cwd: house.scratch.dir });
    return exitCode === 0 ? stdout.toString() : `exit code ${exitCode}: ${stdout.toString()}${stderr.toString()}`;
  }

  it('runs all that the client has', async () => {
    expect((await client('-test.list', '.')).trim().split('\n').sort()).toEqual([...TESTS].sort());
  });

  it.each(TESTS)(
    '%s',
    async (name) => {
      const { socket, logs } = house.scratch;
      const flags = { endpoint: `unix://${socket}`, image: BUSYBOX, logs, patience: `${TEST_MS}ms` };
      const args = Object.entries(flags).map(([flag, value]) => `-${flag}=${value}`);
      expect(await client('-test.v', '-test.run', `^${name}$`, ...args)).toContain(`--- PASS: ${name} (`);
    },
    2 * TEST_MS,
  );
});
