import { link, mkdir, rm, symlink, writeFile } from 'node:fs/promises';

import { describe, expect, it } from '@jest/globals';

import { runOk } from '../../base/spawn.js';
import { useScratch } from '../../base/testing.js';
import { measureSmallTree } from './small-tree.js';
import { measureTree, type TreeUse } from './tree-use.js';

const scratch = useScratch('tree');

/** In one go; the other way of measuring has to agree. */
async function measure(path: string): Promise<TreeUse> {
  const walk = measureTree(path);
  let step = walk.next();
  while (step.done !== true) step = walk.next();
  expect(await measureSmallTree(path, 10_000)).toEqual(step.value);
  return step.value;
}

/** What du(1) says. */
async function du(path: string): Promise<TreeUse> {
  const count = async (...args: string[]): Promise<number> =>
    parseInt((await runOk('du', ['-s', ...args, path], { timeoutMs: 10_000 })).stdout.toString(), 10);
  return { bytes: await count('-B1'), inodes: await count('--inodes') };
}

describe('measureTree', () => {
  it('counts as du does', async () => {
    await mkdir(scratch.path('tree/a/b/c'), { recursive: true });
    await writeFile(scratch.path('tree/a/one'), 'x');
    await writeFile(scratch.path('tree/a/b/large'), Buffer.alloc(300_000, 1));
    await runOk('truncate', ['-s', '1G', scratch.path('tree/sparse')], { timeoutMs: 5_000 });
    await symlink('/usr', scratch.path('tree/link'));
    await runOk('mkfifo', [scratch.path('tree/fifo')], { timeoutMs: 5_000 });
    expect(await measure(scratch.path('tree'))).toEqual(await du(scratch.path('tree')));
  });

  it('counts a file of several names once', async () => {
    await mkdir(scratch.path('tree/sub'), { recursive: true });
    await writeFile(scratch.path('tree/file'), Buffer.alloc(100_000, 1));
    for (const name of ['tree/second', 'tree/sub/third']) await link(scratch.path('tree/file'), scratch.path(name));
    expect(await measure(scratch.path('tree'))).toEqual(await du(scratch.path('tree')));
  });

  it('takes names of any bytes', async () => {
    await mkdir(scratch.path('tree'));
    const dir = Buffer.concat([Buffer.from(scratch.path('tree')), Buffer.from([0x2f, 0xff, 0xfe, 0x0a])]);
    await mkdir(dir);
    await writeFile(Buffer.concat([dir, Buffer.from([0x2f, 0x80])]), Buffer.alloc(50_000, 1));
    const use = await measure(scratch.path('tree'));
    expect(use.inodes).toBe(3);
    expect(use.bytes).toBeGreaterThanOrEqual(50_000);
  });

  it('lets others have a turn', async () => {
    await mkdir(scratch.path('tree'));
    for (let i = 0; i < 1_200; i++) await writeFile(scratch.path(`tree/${i}`), '');
    const walk = measureTree(scratch.path('tree'));
    expect([walk.next().done, walk.next().done]).toEqual([false, false]);
    expect(walk.next()).toMatchObject({ done: true, value: { inodes: 1_201 } });
  });

  it('goes on where files and directories vanish meanwhile', async () => {
    await mkdir(scratch.path('tree/sub'), { recursive: true });
    for (let i = 0; i < 600; i++) await writeFile(scratch.path(`tree/${i}`), '');
    await writeFile(scratch.path('tree/sub/file'), 'x');
    const walk = measureTree(scratch.path('tree'));
    walk.next();
    await rm(scratch.path('tree'), { recursive: true });
    expect(walk.next().done).toBe(true);
  });

  it('goes down to where paths get too long, and no further', async () => {
    const name = 'd'.repeat(200);
    // Node's own rm cannot.
    scratch.defer(() => runOk('rm', ['-rf', scratch.path(name)], { timeoutMs: 5_000 }));
    const script = `i=0; while [ $i -lt 30 ]; do mkdir ${name} && cd ${name}; i=$((i+1)); done`;
    await runOk('sh', ['-c', script], { timeoutMs: 5_000, cwd: scratch.root });
    const { inodes } = await measure(scratch.root);
    expect(inodes).toBeGreaterThan(18);
    expect(inodes).toBeLessThanOrEqual(31);
  });

  it('finds nothing where there is nothing', async () => {
    expect(await measure(scratch.path('gone'))).toEqual({ bytes: 0, inodes: 0 });
  });
});

describe('measureSmallTree', () => {
  it('measures up to a number of entries, and gives up beyond', async () => {
    await mkdir(scratch.path('tree/sub'), { recursive: true });
    for (let i = 0; i < 40; i++) await writeFile(scratch.path(`tree/sub/${i}`), '');
    expect(await measureSmallTree(scratch.path('tree'), 41)).toMatchObject({ inodes: 42 });
    expect(await measureSmallTree(scratch.path('tree'), 40)).toBeUndefined();
  });
});
