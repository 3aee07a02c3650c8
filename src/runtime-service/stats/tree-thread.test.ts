import { mkdir, writeFile } from 'node:fs/promises';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { rejection, useScratch } from '../../base/testing.js';
import { TreeThread } from './tree-thread.js';

const scratch = useScratch('tree-thread');

describe('TreeThread', () => {
  let thread: TreeThread;
  beforeEach(() => {
    thread = new TreeThread();
  });
  afterEach(() => thread.close());

  async function makeTree(name: string, files: number): Promise<string> {
    await mkdir(scratch.path(name));
    for (let i = 0; i < files; i++) await writeFile(scratch.path(name, String(i)), 'x');
    return scratch.path(name);
  }

  it('measures trees', async () => {
    const paths = [await makeTree('a', 3), await makeTree('b', 5)];
    const uses = await Promise.all(paths.map((path) => thread.measure(path)));
    expect(uses.map(({ inodes }) => inodes)).toEqual([4, 6]);
  });

  it('does not let a small tree wait for a large one', async () => {
    const [large, small] = [await makeTree('large', 3_000), await makeTree('small', 1)];
    const order: string[] = [];
    await Promise.all([
      thread.measure(large).then(() => order.push('large')),
      thread.measure(small).then(() => order.push('small')),
    ]);
    expect(order).toEqual(['small', 'large']);
  });

  it('fails what it has not answered when it is closed, and starts again when it is asked', async () => {
    const path = await makeTree('a', 1);
    const [error] = await Promise.all([rejection(thread.measure(path)), thread.close()]);
    expect(error).toMatchObject({ code: 'internal', message: 'the measuring thread was closed' });
    expect((await thread.measure(path)).inodes).toBe(2);
  });

  it('says what it cannot measure', async () => {
    const error = await rejection(thread.measure('/\0'));
    expect(error).toMatchObject({ code: 'internal' });
    expect(error.message).toContain('cannot measure a directory');
    expect((await thread.measure(await makeTree('a', 0))).inodes).toBe(1);
  });
});
