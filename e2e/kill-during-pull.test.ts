import { createHash, randomInt } from 'node:crypto';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { sleep } from '../src/base/abort.js';
import { imageOf } from '../src/image-service/image-fixture.js';
import { FaultProxy, sendAll } from './faults/fault-proxy.js';
import { callCri } from './harness/cri.js';
import { openHouse, type House } from './harness/house.js';
import { readStoredImages, strayImageFiles } from './harness/image-files.js';
import { mirrorTree } from './harness/mirror-tree.js';
import { patience, SETTINGS } from './harness/settings.js';
import { waitFor } from './harness/wait.js';
import { pushAll } from './images/push.js';
import { layoutAs, writeFixture } from './unpack/layouts.js';
import { listTree } from './unpack/list-tree.js';

const IMAGE = 'registry.k8s.io/killed/image:1';
const ROUNDS = SETTINGS.full ? 50 : 5;
/** GANTRY_E2E_SEED repeats a run's moments. */
const SEED = Number(process.env['GANTRY_E2E_SEED'] ?? randomInt(2 ** 31));

/** Numbers from 0 to 1 that depend on the seed alone. */
function moment(round: number): number {
  return createHash('sha256').update(`${SEED}:${round}`).digest().readUInt32BE() / 2 ** 32;
}

/** Layers of many files and of one that is big enough to be resumed. */
const image = imageOf({
  layers: Array.from({ length: 4 }, (_, layer) => [
    { name: `l${layer}/`, flag: '5' },
    { name: `l${layer}/big`, data: bytes(3 << 20, layer) },
    ...Array.from({ length: 200 }, (_, file) => ({ name: `l${layer}/${file}`, data: bytes(5_000, file) })),
  ]),
});

function bytes(length: number, seed: number): Buffer {
  let last = createHash('sha256').update(String(seed)).digest();
  const parts = [last];
  while (parts.length * last.length < length) parts.push((last = createHash('sha256').update(last).digest()));
  return Buffer.concat(parts).subarray(0, length);
}

describe(`a daemon killed during a pull (GANTRY_E2E_SEED=${SEED})`, () => {
  let house: House;
  let whole: string;
  let usualMs: number;

  const pull = (): Promise<unknown> => callCri(house, 'PullImage', { image: { image: IMAGE } });

  /** What the layers hold, whatever their directories are called. */
  async function contents(): Promise<string> {
    const { layers, chains } = await readStoredImages(house.scratch.root);
    const trees = (chains[0] ?? []).map((id) => [...listTree(layers.get(id) ?? '')]);
    return createHash('sha256').update(JSON.stringify(trees)).digest('hex');
  }

  async function remove(): Promise<void> {
    await callCri(house, 'RemoveImage', { image: { image: IMAGE } });
    await tidy();
  }

  /** What is removed goes a moment after the answer. */
  async function tidy(): Promise<void> {
    let strays: string[] = [];
    await waitFor('store without strays', 10_000, async () => {
      strays = await strayImageFiles(house.scratch.root);
      return strays.length === 0 ? true : undefined;
    }).catch(() => expect(strays).toEqual([]));
  }

  beforeAll(async () => {
    house = await openHouse();
    const layout = join(house.scratch.dir, 'layout');
    await mkdir(layout);
    await writeFixture(layout, image);
    await pushAll(house.registry.address, [await layoutAs(layout, IMAGE)]);
    const started = performance.now();
    await pull();
    usualMs = performance.now() - started;
    whole = await contents();
    await remove();
  });
  afterAll(() => house.close());

  it.each(Array.from({ length: ROUNDS }, (_, round) => [round]))(
    'pulls the whole image after the next start, and keeps nothing else (moment %i)',
    async (round) => {
      const cut = pull().catch(() => undefined);
      // A little past the end, too: what follows the answer is not done at once.
      await sleep(moment(round) * usualMs * 1.2);
      await house.daemon.kill9();
      await cut;
      await house.daemon.start();
      await pull();
      expect(await contents()).toBe(whole);
      await tidy();
      await remove();
    },
    patience(120_000),
  );

  it(
    'fetches no layer again that was finished',
    async () => {
      const [last, ...finished] = image.blobs.slice(1).reverse();
      const proxy = await FaultProxy.start(house.registry.address);
      try {
        await mirrorTree(house.scratch.hosts, proxy.url.slice('http://'.length), ['registry.k8s.io']);
        // It never answers for the last layer.
        proxy.reset((given, response) =>
          given.path.endsWith(last?.digest ?? '') ? undefined : sendAll(given, response),
        );
        const cut = pull().catch(() => undefined);
        const notes = join(house.scratch.root, 'images', 'unsynced-layers');
        const isNoted = async (): Promise<true | undefined> =>
          (await readdir(notes)).filter((name) => name.endsWith('.json')).length === finished.length ? true : undefined;
        await waitFor('finished layers', 20_000, isNoted);
        await house.daemon.kill9();
        await cut;
        await house.daemon.start();
        proxy.reset();
        await pull();
        expect(finished.map(({ digest }) => proxy.sentOf(digest))).toEqual([0, 0, 0]);
        expect(proxy.sentOf(last?.digest ?? '')).toBe(last?.size);
      } finally {
        proxy.close();
        await mirrorTree(house.scratch.hosts, house.registry.address, ['registry.k8s.io']);
      }
      expect(await contents()).toBe(whole);
      await remove();
    },
    patience(120_000),
  );

  it('leaves nothing behind', () => house.assertEmpty());
});
