import { closeSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, symlinkSync, writeSync } from 'node:fs'; // prettier-ignore
import { createServer } from 'node:net';

import { beforeEach, describe, expect, it } from '@jest/globals';

import { errnoOf } from '../errors.js';
import { runOk } from '../spawn.js';
import { rejection, useScratch } from '../testing.js';
import { mknodSync } from './calls.js';
import { appendBelow } from './sys.js';

const scratch = useScratch('append');

describe('a file below a directory that others may write to', () => {
  let dir: string;
  beforeEach(() => {
    dir = scratch.path('pods', 'pod');
    mkdirSync(dir, { recursive: true });
    mkdirSync(scratch.path('elsewhere'));
  });

  async function append(path: string, text: string): Promise<void> {
    const opened = await appendBelow(dir, path);
    if (!('fd' in opened)) throw new RangeError(opened.obstacle);
    writeSync(opened.fd, text);
    closeSync(opened.fd);
  }

  async function obstacle(path: string): Promise<string> {
    const opened = await appendBelow(dir, path);
    return 'obstacle' in opened ? opened.obstacle : 'none';
  }

  it('is made with its directories, and appended to when it is there', async () => {
    await append('web:1/a b/0.log', 'one\n');
    await append('web:1/./a b//0.log', 'two\n');
    expect(readFileSync(`${dir}/web:1/a b/0.log`, 'utf8')).toBe('one\ntwo\n');
    expect(statSync(`${dir}/web:1`).mode & 0o777).toBe(0o755);
    expect(statSync(`${dir}/web:1/a b/0.log`).mode & 0o777).toBe(0o640);
    await append('1.log', 'beside');
    expect(readFileSync(`${dir}/1.log`, 'utf8')).toBe('beside');
  });

  it('follows links to the directory, but not the directory’s own name', async () => {
    symlinkSync(scratch.path('pods'), scratch.path('link'));
    dir = scratch.path('link', 'pod');
    await append('0.log', 'x');
    expect(readFileSync(scratch.path('pods', 'pod', '0.log'), 'utf8')).toBe('x');
    dir = scratch.path('link');
    expect(await obstacle('pod/0.log')).toBe('"link" on the way is a symbolic link');
  });

  it('can be new, under another name for now', async () => {
    await append('0.log', 'old');
    const opened = await appendBelow(dir, '0.log', true);
    if (!('fd' in opened) || opened.fresh === undefined) throw new RangeError('it is not new');
    writeSync(opened.fd, 'new');
    const { directory, name } = opened.fresh;
    expect(readFileSync(`${dir}/0.log`, 'utf8')).toBe('old');
    expect(readFileSync(`/proc/self/fd/${directory}/${name}`, 'utf8')).toBe('new');
    expect(name).toMatch(/^\.[0-9a-f]{16}\.new$/);
    for (const fd of [opened.fd, directory]) closeSync(fd);
    symlinkSync('0.log', `${dir}/1.log`);
    expect(await appendBelow(dir, '1.log', true)).toEqual({ obstacle: 'it is a symbolic link' });
  });

  it.each([
    [
      'a link to a file',
      (path: string) => symlinkSync(scratch.path('elsewhere', 'file'), path),
      'it is a symbolic link',
    ],
    ['a link of the kernel’s', (path: string) => symlinkSync('/proc/self/fd/2', path), 'it is a symbolic link'],
    ['a fifo', (path: string) => runOk('mkfifo', [path], { timeoutMs: 5_000 }), 'it is a fifo'],
    ['a directory', (path: string) => mkdirSync(path), 'it is a directory'],
    ['a device', (path: string) => mknodSync(path, 0o020666, { major: 1, minor: 3 }), 'it is a device'],
    ['a socket', listen, 'it is a socket'],
  ])('is never %s', async (_, make: (path: string) => unknown, expected) => {
    await make(`${dir}/0.log`);
    expect(await obstacle('0.log')).toBe(expected);
    expect(existsSync(scratch.path('elsewhere', 'file'))).toBe(false);
  });

  it.each(['0.log', 'below/0.log'])('is not made through a link on the way: sub/%s', async (path) => {
    symlinkSync(scratch.path('elsewhere'), `${dir}/sub`);
    expect(await obstacle(`sub/${path}`)).toBe('"sub" on the way is a symbolic link');
    expect(existsSync(scratch.path('elsewhere', path))).toBe(false);
  });

  it('says what else is on the way', async () => {
    await append('sub', '');
    expect(await obstacle('sub/0.log')).toBe('"sub" on the way is a file');
    expect((await rejection(appendBelow(dir, '..'))).message).toContain('..');
    expect((await rejection(appendBelow(dir, 'n'.repeat(256)))).message).toContain('ENAMETOOLONG');
    expect((await rejection(appendBelow(scratch.path('no', 'such'), 'x'))).message).toContain('ENOENT');
  });

  it('is never outside, whatever changes meanwhile', async () => {
    // Who opens may have made the directory in between.
    const clear = (): void => rmSync(`${dir}/sub`, { recursive: true, force: true, maxRetries: 20, retryDelay: 5 });
    const flip = (): void => {
      clear();
      try {
        symlinkSync(scratch.path('elsewhere'), `${dir}/sub`);
      } catch (error) {
        if (errnoOf(error) !== 'EEXIST') throw error;
      }
    };
    mkdirSync(`${dir}/sub`);
    for (let round = 0; round < 100; round++) {
      // One whose directory goes meanwhile may fail.
      const opening = Promise.allSettled(Array.from({ length: 4 }, () => appendBelow(dir, `sub/${round}.log`)));
      flip();
      for (const { value } of (await opening).filter((end) => end.status === 'fulfilled'))
        if ('fd' in value) closeSync(value.fd);
      clear();
    }
    expect(existsSync(scratch.path('elsewhere', '0.log'))).toBe(false);
    await runOk('rmdir', [scratch.path('elsewhere')], { timeoutMs: 5_000 });
  });
});

function listen(path: string): Promise<void> {
  const server = createServer();
  scratch.defer(() => server.close());
  return new Promise((resolve) => server.listen(path, resolve));
}
