import { readFile } from 'node:fs/promises';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { sleep } from '../src/base/abort.js';
import { internal } from '../src/base/errors.js';
import { openHouse, type House } from './harness/house.js';
import { BUSYBOX, inspectPod, runContainer, runPod, writeContainer, writePod } from './harness/pods.js';
import { SETTINGS } from './harness/settings.js';

const { rounds, pods, atOnce } = SETTINGS.full
  ? { rounds: 2, pods: 100, atOnce: 10 }
  : { rounds: 1, pods: 50, atOnce: 5 };
const ROUND_MS = 600_000;

describe('churn', () => {
  let house: House;
  const memory: number[] = [];
  beforeAll(async () => {
    house = await openHouse();
    await house.crictl.ok('pull', BUSYBOX);
  });
  afterAll(() => house.close());

  /** A pod's whole life. Returns its address. */
  async function live(): Promise<string> {
    const pod = await writePod(house);
    const podId = await runPod(house, pod);
    const id = await runContainer(house, podId, { pod, container: await writeContainer(house) });
    expect(await house.crictl.ok('exec', '-s', id, 'hostname')).toBe(pod.name);
    const { ip } = (await inspectPod(house, podId)).status.network;
    await house.crictl.ok('stopp', podId);
    await house.crictl.ok('rmp', podId);
    return ip;
  }

  async function lives(count: number): Promise<string[]> {
    const addresses: string[] = [];
    for (let i = 0; i < count; i++) addresses.push(await live());
    return addresses;
  }

  it.each(Array.from({ length: rounds }, (_, round) => round + 1))(
    `of ${pods} pods, ${atOnce} at a time, goes without an error (round %d)`,
    async () => {
      const all = await Promise.all(Array.from({ length: atOnce }, () => lives(pods / atOnce)));
      expect(all.flat()).toHaveLength(pods);
      expect(all.flat().every((ip) => ip.startsWith(`${house.scratch.subnet}.`))).toBe(true);
      expect(await house.crictl.ok('pods', '-q')).toBe('');
      expect(await house.crictl.ok('ps', '-aq')).toBe('');
      memory.push(await settledMemory(house.daemon.pid));
    },
    ROUND_MS,
  );

  // Left off the list where there is one round, rather than skipped: nothing keeps it from running but the time.
  if (rounds > 1) {
    it('takes the daemon no more memory the longer it lasts', () => {
      const [first = NaN, last = NaN] = memory;
      expect(last).toBeLessThan(first * 1.1);
    });
  }

  it('leaves nothing behind', () => house.assertEmpty());
});

/**
 * Kilobytes of a process's own, at the lowest of some seconds: garbage comes and goes. Not with its share of Node's own pages, which
 * grows by megabytes when other processes of Node end.
 */
async function settledMemory(pid: number): Promise<number> {
  const samples: number[] = [];
  for (let i = 0; i < 10; i++) {
    samples.push(await memoryOf(pid));
    await sleep(500);
  }
  return Math.min(...samples);
}

async function memoryOf(pid: number): Promise<number> {
  const kilobytes = /^Anonymous: +(\d+) kB$/m.exec(await readFile(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1];
  if (kilobytes === undefined) throw internal(`no memory of process ${pid}`);
  return Number(kilobytes);
}
