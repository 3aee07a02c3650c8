import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { makeSysError } from '../../base/sys/libc.js';
import { syncFileSystem } from '../../base/sys/sys.js';
import { rejection } from '../../base/testing.js';
import { LayerSync } from './layer-sync.js';

const MiB = 1 << 20;

let directory: string;
/** What the syncs end with, and how many there were. */
let ends: (() => Promise<void>)[];
let count: number;
let sync: LayerSync;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'gantry-sync-'));
  [ends, count] = [[], 0];
  sync = new LayerSync(directory, async (path) => {
    count++;
    await (ends.shift() ?? ((): Promise<void> => syncFileSystem(path)))();
  });
});
afterEach(() => rmSync(directory, { recursive: true }));

describe('LayerSync', () => {
  it('syncs ahead when much is finished, one at a time', async () => {
    sync.finished(100 * MiB);
    expect(count).toBe(0);
    sync.finished(100 * MiB);
    sync.finished(200 * MiB);
    expect(count).toBe(1);
    await sync.settle();
    sync.finished(MiB);
    expect(count).toBe(2);
    await sync.sync();
    expect(count).toBe(3);
    sync.finished(100 * MiB);
    expect(count).toBe(3);
  });

  it('waits for the sync ahead, and fails with it, once', async () => {
    let fail: ((error: Error) => void) | undefined;
    ends.push(() => new Promise((_, reject) => (fail = reject)));
    sync.finished(200 * MiB);
    const synced = rejection(sync.sync());
    expect(count).toBe(1);
    fail?.(makeSysError('ENOSPC', 'syncfs', 'no space left'));
    expect(await synced).toMatchObject({ code: 'resource-exhausted', cause: { code: 'ENOSPC' } });
    await sync.sync();
    expect(count).toBe(3);
  });

  it('fails with its own sync', async () => {
    ends.push(() => Promise.reject(new RangeError('EIO')));
    await expect(sync.sync()).rejects.toThrow('EIO');
  });
});
