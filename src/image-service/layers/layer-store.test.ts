import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { silentLogger } from '../../base/log.js';
import { bootId } from '../../base/sys/process.js';
import { until } from '../../base/testing.js';
import { sha256 } from '../image-fixture.js';
import { LayerStore } from './layer-store.js';
import { UnpackPool } from './unpack-pool.js';

let directory: string;
let pool: UnpackPool;
let store: LayerStore;

const chain = Array.from({ length: 300 }, (_, layer) => sha256(`layer ${layer}`));

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'gantry-layers-'));
  pool = new UnpackPool();
});
afterEach(async () => {
  await store.settle();
  await pool.close();
  rmSync(directory, { recursive: true });
});

/** A store in which all of the chain is there. @param as what says so: their records, or notes of this boot */
async function openStore(as: 'layer-records' | 'unsynced-layers'): Promise<void> {
  for (const [index, chainId] of chain.entries()) writeLayer(String(index + 1), chainId, as);
  const options = { directory, quarantine: join(directory, 'quarantine'), maxParallel: 1 };
  store = await LayerStore.open({ ...options, pool, logger: silentLogger() });
}

function writeLayer(dir: string, chainId: string, as: string): void {
  const records = join(directory, as);
  mkdirSync(join(directory, 'layers', dir), { recursive: true });
  mkdirSync(records, { recursive: true });
  const record = { chainId, diffId: chainId, dir, size: 0, inodes: 1, boot: bootId(), version: 1 };
  writeFileSync(join(records, `${dir}.json`), JSON.stringify(record));
}

describe('collect', () => {
  it('asks which layers are named once, however many there are, and once more for each that goes', async () => {
    await openStore('layer-records');
    let asked = 0;
    await store.collect(() => (asked++, new Set(chain.slice(2))));
    expect(asked).toBe(3);
    expect(new Set(store.all())).toEqual(new Set(chain.slice(2)));
    expect(readdirSync(join(directory, 'layers'))).toHaveLength(298);
    expect(readdirSync(join(directory, 'layer-records'))).toHaveLength(298);
  });

  it('keeps what is named or used by the time that it would go', async () => {
    await openStore('layer-records');
    const [first = '', second = '', third = '', fourth = '', ...rest] = store.all();
    const named = new Set(rest);
    await store.collect(() => {
      if (!store.has(first)) named.add(second);
      if (!store.has(third)) store.retain('somebody', [fourth]);
      return named;
    });
    expect(store.all()).toEqual([second, fourth, ...rest]);
  });

  it('leaves no record of a layer that goes while it is recorded', async () => {
    await openStore('unsynced-layers');
    const records = join(directory, 'layer-records');
    await until(() => readdirSync(records).length > 0);
    for (const chainId of chain)
      await store.collect(() => new Set(chain.filter((other) => other !== chainId)), { all: true });
    await store.settle();
    expect(store.all()).toEqual([]);
    for (const name of ['layer-records', 'layers', 'ingest', 'unsynced-layers'])
      expect(readdirSync(join(directory, name))).toEqual([]);
  });
});
