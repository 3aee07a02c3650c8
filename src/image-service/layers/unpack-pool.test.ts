import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { getPriority } from 'node:os';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { codeOf } from '../../base/errors.js';
import { rejection, until, useScratch } from '../../base/testing.js';
import { UnpackPool } from './unpack-pool.js';

const scratch = useScratch('unpack-pool');
const TASKS = '/proc/self/task';
let earlier: readonly string[];
let pool: UnpackPool;

beforeEach(() => {
  earlier = readdirSync(TASKS);
  pool = new UnpackPool({ idleMs: 50 });
});

afterEach(() => pool.close());

/** How many unpacking threads the pool has: new ones, with a nice value above ours (proc(5), the 17th field after the name). */
function threads(): number {
  const fresh = readdirSync(TASKS).filter((tid) => !earlier.includes(tid));
  return fresh.filter((tid) => Number(statOf(tid).split(') ')[1]?.split(' ')[16]) > getPriority()).length;
}

/** A thread may end at any moment. */
function statOf(tid: string): string {
  try {
    return readFileSync(`${TASKS}/${tid}/stat`, 'utf8');
  } catch {
    return '';
  }
}

/** Two files hashed at once, for which two threads are needed. */
async function useTwo(): Promise<void> {
  const path = scratch.path('file');
  writeFileSync(path, 'content');
  await Promise.all([pool.digest(path), pool.digest(path)]);
}

describe('UnpackPool', () => {
  it('ends threads that nothing was left for', async () => {
    await useTwo();
    expect(threads()).toBe(2);
    await until(() => threads() === 0);
  });

  it('keeps one that is ready, before and after others are used', async () => {
    await pool.keepOne();
    await until(() => threads() === 1);
    await useTwo();
    expect(threads()).toBe(2);
    await until(() => threads() === 1);
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(threads()).toBe(1);
    await pool.close();
    expect(threads()).toBe(0);
  });

  it('has another one ready when one has failed', async () => {
    await pool.keepOne();
    await until(() => threads() === 1);
    expect(codeOf(await rejection(pool.digest(scratch.path())))).toBe('data-loss');
    await until(() => threads() === 1);
  });
});
