import { mkdir, writeFile } from 'node:fs/promises';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { sleep } from '../../base/abort.js';
import { silentLogger } from '../../base/log.js';
import { useScratch } from '../../base/testing.js';
import { TreeMeasurer } from './tree-measurer.js';
import { WritableLayers } from './writable-layers.js';

const PATIENT = 20_000;
const scratch = useScratch('layers');

describe('WritableLayers', () => {
  let measurer: TreeMeasurer;
  let dir: string;
  beforeEach(async () => {
    measurer = new TreeMeasurer();
    dir = scratch.path('upper');
    await mkdir(dir);
    await writeFile(scratch.path('upper', 'file'), Buffer.alloc(10_000, 1));
  });
  afterEach(() => measurer.close());

  function layers(timing: { minAgeMs: number; patienceMs: number }): WritableLayers {
    return new WritableLayers({ measurer, logger: silentLogger(), timing });
  }

  function addFiles(count: number): Promise<unknown> {
    return Promise.all(Array.from({ length: count }, (_, i) => writeFile(scratch.path('upper', String(i)), 'x')));
  }

  it('counts at the first call', async () => {
    const use = await layers({ minAgeMs: 10_000, patienceMs: PATIENT }).use(dir);
    expect(use).toMatchObject({ inodes: 2 });
    expect(use?.bytes).toBeGreaterThanOrEqual(10_000);
    expect(Math.abs(Number(use?.timestamp) / 1e6 - Date.now())).toBeLessThan(10_000);
  });

  it('gives the same result while it is young', async () => {
    const all = layers({ minAgeMs: 10_000, patienceMs: PATIENT });
    const first = await all.use(dir);
    await addFiles(3);
    expect(await all.use(dir)).toBe(first);
  });

  it('counts again when it is old', async () => {
    const all = layers({ minAgeMs: 0, patienceMs: PATIENT });
    expect((await all.use(dir))?.inodes).toBe(2);
    await addFiles(3);
    // A walk earns a pause of many times its own duration.
    for (let left = 100; (await all.use(dir))?.inodes === 2 && left > 0; left--) await sleep(20);
    expect((await all.use(dir))?.inodes).toBe(5);
  });

  it('walks once for callers at once', async () => {
    const all = layers({ minAgeMs: 10_000, patienceMs: PATIENT });
    const [first, second] = await Promise.all([all.use(dir), all.use(dir)]);
    expect(second).toBe(first);
  });

  it('keeps nobody waiting, and has the result the next time', async () => {
    // Starting a thread takes longer than no time.
    const slow = new TreeMeasurer(0);
    scratch.defer(() => slow.close());
    const timing = { minAgeMs: 10_000, patienceMs: 0 };
    const all = new WritableLayers({ measurer: slow, logger: silentLogger(), timing });
    expect(await all.use(dir)).toBeUndefined();
    for (let left = 100; (await all.use(dir)) === undefined && left > 0; left--) await sleep(20);
    expect(await all.use(dir)).toMatchObject({ inodes: 2 });
  });

  it('has no result where the walk fails, and no error', async () => {
    const all = layers({ minAgeMs: 10_000, patienceMs: PATIENT });
    expect(await all.use('/\0')).toBeUndefined();
    expect(await all.use(dir)).toMatchObject({ inodes: 2 });
  });
});
