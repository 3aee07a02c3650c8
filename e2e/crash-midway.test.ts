import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';

import { sleep } from '../src/base/abort.js';
import { openHouse, type House } from './harness/house.js';
import { BUSYBOX, runContainer, runPod, writeContainer, writePod } from './harness/pods.js';

/** Milliseconds after the start of an operation: most of them fall into it, each at another step. */
const DELAYS = [5, 20, 40, 60, 90] as const;
const AT_ONCE = 3;

describe('a crash of the daemon in the middle', () => {
  let house: House;
  beforeAll(async () => {
    house = await openHouse();
    await house.crictl.ok('pull', BUSYBOX);
  });
  afterAll(() => house.close());
  beforeEach(async () => {
    if (!house.daemon.running) await house.daemon.start();
  });

  /** Kills the daemon while the work goes on, starts it again, and removes the pods that it knows. */
  async function crashDuring(work: () => Promise<unknown>, delay: number): Promise<void> {
    // crictl itself needs some time to start.
    const all = Array.from({ length: AT_ONCE }, () => work().catch(() => 'cut short'));
    await sleep(30 + delay);
    await house.daemon.kill9();
    await Promise.all(all);
    await house.daemon.start();
    await removeAll();
  }

  async function removeAll(): Promise<void> {
    const ids = (await house.crictl.ok('pods', '-q')).split('\n').filter(Boolean);
    for (const id of ids) await house.crictl.ok('rmp', '-f', id);
    expect(await house.crictl.ok('pods', '-q')).toBe('');
    expect(await house.crictl.ok('ps', '-aq')).toBe('');
  }

  it.each(DELAYS)('leaves nothing of pods that were being made (%d ms)', async (delay) => {
    await crashDuring(async () => runPod(house, await writePod(house)), delay);
    await house.assertEmpty();
  });

  it.each(DELAYS)('leaves nothing of containers that were being made (%d ms)', async (delay) => {
    const pod = await writePod(house);
    const podId = await runPod(house, pod);
    await crashDuring(async () => runContainer(house, podId, { pod, container: await writeContainer(house) }), delay);
    await house.assertEmpty();
  });

  it.each(DELAYS)('leaves nothing of pods that were being stopped and removed (%d ms)', async (delay) => {
    const ids: string[] = [];
    for (let i = 0; i < AT_ONCE; i++) {
      const pod = await writePod(house);
      const podId = await runPod(house, pod);
      await runContainer(house, podId, { pod, container: await writeContainer(house) });
      ids.push(podId);
    }
    await crashDuring(() => house.crictl.ok('rmp', '-f', ids.pop() ?? ''), delay);
    await house.assertEmpty();
  });
});
