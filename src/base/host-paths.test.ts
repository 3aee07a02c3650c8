import { readdirSync, symlinkSync } from 'node:fs';
import { mkdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { describe, expect, it } from '@jest/globals';

import { makeHostDirectory, realPaths, typesOfPaths } from './host-paths.js';
import { cachedTypeOf } from './sys/cached-type.js';
import { mountOverlay, unmount } from './sys/sys.js';
import { hangingDirectory, rejection, useScratch } from './testing.js';

const scratch = useScratch('host-paths');
const what = 'mount source';

describe('typesOfPaths', () => {
  it('tells what leads to nothing, whatever the names', async () => {
    await writeFile(scratch.path('file'), '');
    await mkdir(scratch.path('odd\n-- name'));
    symlinkSync('file', scratch.path('link'));
    symlinkSync('nothing', scratch.path('dangling'));
    symlinkSync('loop', scratch.path('loop'));
    const paths = ['file', 'none', 'odd\n-- name', 'link', 'dangling', 'loop', 'file/x'].map((name) =>
      scratch.path(name),
    );
    expect([...(await typesOfPaths(paths, { what }))]).toEqual([
      [scratch.path('file'), 'other'],
      [scratch.path('odd\n-- name'), 'directory'],
      [scratch.path('link'), 'other'],
    ]);
    expect((await typesOfPaths([], { what })).size).toBe(0);
  });

  it('tells the same of what the kernel does not know yet', async () => {
    // A file system that nobody has looked at yet.
    const [dir, other, empty] = [scratch.path('mounted'), scratch.path('other'), scratch.path('empty')];
    for (const path of [dir, empty, join(other, 'sub')]) await mkdir(path, { recursive: true });
    await writeFile(join(other, 'file'), '');
    scratch.defer(() => unmount(dir, { detach: true }));
    await mountOverlay({ lower: [other, empty], target: dir });
    const paths = ['sub', 'file', 'none'].map((name) => join(dir, name));
    const expected = [
      [join(dir, 'sub'), 'directory'],
      [join(dir, 'file'), 'other'],
    ];
    expect(paths.map(cachedTypeOf)).toEqual([undefined, undefined, undefined]);
    for (let round = 0; round < 2; round++) expect([...(await typesOfPaths(paths, { what }))]).toEqual(expected);
  });

  it('gives up on a file system that hangs, and says which', async () => {
    const dir = await hangingDirectory(scratch);
    const error = await rejection(typesOfPaths(['/etc', `${dir}/x`, '/usr'], { what, timeoutMs: 300 }));
    expect(error).toMatchObject({
      code: 'deadline-exceeded',
      message: `mount source ${dir}/x does not answer: its file system hangs`,
    });
    // No thread of libuv's hangs with it.
    expect(await Promise.all(Array.from({ length: 8 }, () => stat('/')))).toHaveLength(8);
    expect(readdirSync('/proc/self/task').length).toBeGreaterThan(0);
  });
});

describe('realPaths', () => {
  it('follows links', async () => {
    await mkdir(scratch.path('dir'));
    symlinkSync('dir', scratch.path('link'));
    const paths = [scratch.path('link'), scratch.path('dir')];
    expect([...(await realPaths(paths, { what })).values()]).toEqual([scratch.path('dir'), scratch.path('dir')]);
    expect((await realPaths([], { what })).size).toBe(0);
  });

  it('refuses what leads to nothing', async () => {
    expect(await rejection(realPaths([scratch.path('none')], { what }))).toMatchObject({ code: 'invalid-argument' });
  });
});

describe('makeHostDirectory', () => {
  it('makes it with its parents, open to all', async () => {
    await makeHostDirectory(scratch.path('a', 'b'), { what });
    expect((await stat(scratch.path('a', 'b'))).mode & 0o777).toBe(0o755);
    await makeHostDirectory(scratch.path('a'), { what });
  });

  it('refuses what is in the way', async () => {
    await writeFile(scratch.path('file'), '');
    const dangling = scratch.path('dangling');
    symlinkSync('nothing', dangling);
    for (const path of [scratch.path('file'), scratch.path('file', 'x'), dangling])
      expect(await rejection(makeHostDirectory(path, { what }))).toMatchObject({
        code: 'invalid-argument',
        message: expect.stringContaining(`mount source ${path} cannot be made: `),
      });
  });
});
