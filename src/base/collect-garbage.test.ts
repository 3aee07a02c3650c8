import { once } from 'node:events';
import { Worker } from 'node:worker_threads';

import { describe, expect, it } from '@jest/globals';

const MODULE = new URL('./collect-garbage.js', import.meta.url).href;

/** Makes 64 MB of buffers, sixteen at a time, and tells the most that were there at once, in MB. */
const BODY = `
  const { parentPort } = require('node:worker_threads');
  const { setImmediate: nextTurn } = require('node:timers/promises');
  import('${MODULE}').then(async ({ collectYoungGarbage }) => {
    let most = 0;
    for (let round = 0; round < 64; round++) {
      for (let count = 0; count < 16; count++) new ArrayBuffer(64 << 10);
      collectYoungGarbage();
      await nextTurn();
      most = Math.max(most, process.memoryUsage().arrayBuffers >> 20);
    }
    parentPort.postMessage(most);
  });
`;

async function inThread(): Promise<number> {
  const worker = new Worker(BODY, { eval: true });
  const [most] = (await once(worker, 'message')) as [number];
  await worker.terminate();
  return most;
}

describe('collectYoungGarbage', () => {
  it('keeps the buffers of a thread few, in many threads that begin together', async () => {
    const most = await Promise.all(Array.from({ length: 6 }, inThread));
    expect(Math.max(...most)).toBeLessThan(24);
  });
});
