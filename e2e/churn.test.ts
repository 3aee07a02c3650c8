import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { openHouse, type House } from './harness/house.js';
import { BUSYBOX, inspectPod, runContainer, runPod, writeContainer, writePod } from './harness/pods.js';

const PODS = 50;
const AT_ONCE = 5;

describe('churn', () => {
  let house: House;
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

  it(`of ${PODS} pods, ${AT_ONCE} at a time, goes without an error`, async () => {
    const all = await Promise.all(Array.from({ length: AT_ONCE }, () => lives(PODS / AT_ONCE)));
    expect(all.flat()).toHaveLength(PODS);
    expect(all.flat().every((ip) => ip.startsWith(`${house.scratch.subnet}.`))).toBe(true);
    expect(await house.crictl.ok('pods', '-q')).toBe('');
    expect(await house.crictl.ok('ps', '-aq')).toBe('');
  }, 300_000);

  it('leaves nothing behind', () => house.assertEmpty());
});
