import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { runOk } from '../../src/base/spawn.js';
import { directory, file, hardlink, opaqueWhiteout, symlink, whiteout, type Entry } from './entries.js';
import { tar, type TarOptions } from './tar.js';

describe('tar', () => {
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'gantry-tar-'));
  });
  afterEach(async () => {
    await rm(dir, { recursive: true });
  });

  /** What GNU tar lists, without the columns of size and time. */
  async function list(entries: readonly Entry[], options?: TarOptions): Promise<string[]> {
    await writeFile(join(dir, 'a.tar'), await tar(entries, options));
    const args = ['--numeric-owner', '--utc', '-tvf', join(dir, 'a.tar')];
    const { stdout } = await runOk('tar', args, { timeoutMs: 10_000 });
    const lines = stdout.toString().trimEnd().split('\n');
    return lines.map((line) => line.replace(/ +\d+ \d{4}-\d\d-\d\d \d\d:\d\d/, ''));
  }

  it('writes every kind of entry as GNU tar reads it', async () => {
    const entries = [
      directory('tmp', { mode: 0o1777 }),
      file('tmp/a', 'x', { mode: 0o4755, uid: 7, gid: 8 }),
      hardlink('tmp/b', 'tmp/a'),
      symlink('tmp/c', '/tmp/a'),
    ];
    expect(await list(entries)).toEqual([
      'drwxrwxrwt 0/0 tmp/',
      '-rwsr-xr-x 7/8 tmp/a',
      'hrwxrwxrwx 0/0 tmp/b link to tmp/a',
      'lrwxrwxrwx 0/0 tmp/c -> /tmp/a',
    ]);
  });

  it('adds the parents that are not listed, once', async () => {
    const entries = [file('a/b/c', ''), file('a/b/d', ''), directory('a', { mode: 0o700 })];
    expect(await list(entries)).toEqual([
      'drwxr-xr-x 0/0 a/b/',
      '-rw-r--r-- 0/0 a/b/c',
      '-rw-r--r-- 0/0 a/b/d',
      'drwx------ 0/0 a/',
    ]);
  });

  it('leaves out the parents when told to', async () => {
    expect(await list([file('a/b/c', '')], { bare: true })).toEqual(['-rw-r--r-- 0/0 a/b/c']);
  });

  it('keeps long names', async () => {
    const path = `${'d'.repeat(90)}/${'e'.repeat(90)}/${'f'.repeat(200)}`;
    expect((await list([file(path, '')])).at(-1)).toBe(`-rw-r--r-- 0/0 ${path}`);
  });

  it('names whiteouts as OCI has them', async () => {
    expect(await list([directory('etc'), whiteout('etc/motd'), opaqueWhiteout('etc'), whiteout('top')])).toEqual([
      'drwxr-xr-x 0/0 etc/',
      '-rw-r--r-- 0/0 etc/.wh.motd',
      '-rw-r--r-- 0/0 etc/.wh..wh..opq',
      '-rw-r--r-- 0/0 .wh.top',
    ]);
  });

  it('gives the same bytes for the same entries', async () => {
    const entries = [file('a/b', 'content'), symlink('c', 'a/b')];
    expect(await tar(entries)).toEqual(await tar(entries));
  });
});
