import { readdirSync, writeFileSync } from 'node:fs';

import { afterEach, describe, expect, it } from '@jest/globals';

import { codeOf } from '../../base/errors.js';
import { rejection, until, useScratch } from '../../base/testing.js';
import { UnpackPool } from './unpack-pool.js';

const scratch = useScratch('unpack-pool');
let pool: UnpackPool | undefined;

afterEach(() => pool?.close());

/** How many threads this process has. */
const threads = (): number => readdirSync('/proc/self/task').length;

/** Two files hashed at once, for which two threads are needed. */
async function useTwo(of: UnpackPool): Promise<void> {
  const path = scratch.path('file');
  writeFileSync(path, 'content');
  await Promise.all([of.digest(path), of.digest(path)]);
}

/** The process's own threads, which first use starts, are there afterwards. */
async function threadsWithout(): Promise<number> {
  const first = new UnpackPool();
  await useTwo(first);
  await first.close();
  return threads();
}

describe('UnpackPool', () => {
  it('ends threads that nothing was left for', async () => {
    const before = await threadsWithout();
    pool = new UnpackPool({ idleMs: 50 });
    await useTwo(pool);
    expect(threads()).toBe(before + 2);
    await until(() => threads() === before);
  });

  it('keeps one that is ready, before and after others are used', async () => {
    const before = await threadsWithout();
    pool = new UnpackPool({ idleMs: 50 });
    await pool.keepOne();
    expect(threads()).toBe(before + 1);
    await useTwo(pool);
    expect(threads()).toBe(before + 2);
    await until(() => threads() === before + 1);
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(threads()).toBe(before + 1);
    await pool.close();
    expect(threads()).toBe(before);
  });

  it('has another one ready when one has failed', async () => {
    const before = await threadsWithout();
    pool = new UnpackPool({ idleMs: 50 });
    await pool.keepOne();
    expect(codeOf(await rejection(pool.digest(scratch.path())))).toBeDefined();
    await until(() => threads() === before + 1);
  });
});
