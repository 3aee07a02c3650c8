import { chmod, mkdir, readdir, readFile, stat, symlink, truncate, writeFile } from 'node:fs/promises';

import { describe, expect, it } from '@jest/globals';

import {
  closeDirectory,
  ensureDirectory,
  ensurePublicDirectory,
  readConfigIfExists,
  readIfExists,
  readJson,
  readRegular,
  readText,
  removeTree,
  writeFileAtomic,
  writeJson,
} from './files.js';
import { runOk } from './spawn.js';
import { mknodSync } from './sys/calls.js';
import { mount, unmount } from './sys/sys.js';
import { rejection, useScratch } from './testing.js';

const scratch = useScratch('files');

describe('what is read', () => {
  it('is a regular file, and nothing else is waited for', async () => {
    mknodSync(scratch.path('fifo'), 0o010644, { major: 0, minor: 0 });
    await symlink('fifo', scratch.path('link'));
    await writeFile(scratch.path('file'), 'ä');
    expect(await readText(scratch.path('file'))).toBe('ä');
    // More than libuv has threads.
    const paths = [...Array<string>(8).fill(scratch.path('fifo')), scratch.path('link'), '/dev/zero'];
    for (const read of [readRegular, readText, readIfExists])
      for (const error of await Promise.all(paths.map((path) => rejection(read(path))))) {
        expect(error.code).toBe('data-loss');
        expect(error.message).toMatch(/ is no file$/);
      }
    expect(await rejection(readText(scratch.path('none')))).toMatchObject({ code: 'ENOENT' });
  });

  it('is bounded', async () => {
    await writeFile(scratch.path('big'), '');
    await truncate(scratch.path('big'), 2 ** 40);
    expect((await rejection(readText(scratch.path('big')))).message).toContain('has more than');
  });
});

describe('writeFileAtomic', () => {
  it.each([{}, { fsync: true }])('replaces a file and leaves no other, with %p', async (options) => {
    const path = scratch.path('file');
    await writeFileAtomic(path, 'old', options);
    await writeFileAtomic(path, Buffer.from('new'), { ...options, mode: 0o640 });
    expect(await readFile(path, 'utf8')).toBe('new');
    expect((await stat(path)).mode & 0o777).toBe(0o640);
    expect(await readdir(scratch.root)).toEqual(['file']);
  });

  it('is private unless told', async () => {
    await writeFileAtomic(scratch.path('file'), 'x');
    expect((await stat(scratch.path('file'))).mode & 0o777).toBe(0o600);
  });

  it('keeps the old content and no part of the new when the disk is full', async () => {
    const small = scratch.path('small');
    await mkdir(small);
    scratch.defer(() => unmount(small));
    await mount({ source: 'tmpfs', target: small, type: 'tmpfs', data: 'size=64k' });
    await writeFileAtomic(`${small}/file`, 'old');
    const error = await rejection(writeFileAtomic(`${small}/file`, Buffer.alloc(100_000), { fsync: true }));
    expect(error.code).toBe('ENOSPC');
    expect(await readFile(`${small}/file`, 'utf8')).toBe('old');
    expect(await readdir(small)).toEqual(['file']);
  });

  it('leaves nothing where it cannot rename, and says why where there is no directory', async () => {
    await mkdir(scratch.path('taken'));
    await writeFile(scratch.path('taken', 'inside'), '');
    expect((await rejection(writeFileAtomic(scratch.path('taken'), 'x'))).code).toBe('EISDIR');
    expect(await readdir(scratch.root)).toEqual(['taken']);
    expect((await rejection(writeFileAtomic(scratch.path('none', 'file'), 'x'))).code).toBe('ENOENT');
  });

  it('is never seen half-written', async () => {
    const path = scratch.path('file');
    const contents = ['a', 'b'].map((letter) => letter.repeat(200_000));
    await writeFileAtomic(path, contents[0] ?? '');
    let writing = true;
    const write = async (): Promise<void> => {
      for (let round = 0; round < 30; round++) await writeFileAtomic(path, contents[round % 2] ?? '');
      writing = false;
    };
    const read = async (): Promise<void> => {
      while (writing) expect(contents).toContain(await readFile(path, 'utf8'));
    };
    await Promise.all([write(), read()]);
  });
});

describe('readIfExists', () => {
  it('tells a missing file from one that cannot be read', async () => {
    await writeFile(scratch.path('file'), 'text');
    expect(await readIfExists(scratch.path('file'))).toBe('text');
    expect(await readIfExists(scratch.path('none'))).toBeUndefined();
    expect(await readIfExists(scratch.path('file', 'below'))).toBeUndefined();
  });

  it.each([
    ['a directory', (path: string) => mkdir(path)],
    ['a pipe, which nobody will ever write to', (path: string) => runOk('mkfifo', [path], { timeoutMs: 5_000 })],
    ['a device', (path: string) => symlink('/dev/zero', path)],
    ['a link to nothing', (path: string) => symlink('/no/such/file', path)],
    ['a link to itself', (path: string) => symlink(path, path)],
  ])('refuses %s', async (_, make) => {
    const path = scratch.path('strange');
    await make(path);
    for (const read of [() => readIfExists(path), () => readJson(path, 1)])
      expect(await rejection(read())).toMatchObject({ code: 'data-loss', message: `${path} is no file` });
  });
});

describe('readConfigIfExists', () => {
  it('waits for no pipe, and reads no endless device', async () => {
    mknodSync(scratch.path('fifo'), 0o010644, { major: 0, minor: 0 });
    for (const path of [scratch.path('fifo'), '/dev/zero'])
      expect(await rejection(readConfigIfExists(path))).toMatchObject({ code: 'failed-precondition' });
  });

  it('takes a device for a file', async () => {
    expect(await readConfigIfExists('/dev/null')).toBe('');
    expect(await readConfigIfExists(scratch.path('none'))).toBeUndefined();
    expect((await rejection(readConfigIfExists(scratch.root))).code).toBe('failed-precondition');
  });
});

describe('JSON files', () => {
  it('come back as they were written', async () => {
    const path = scratch.path('x.json');
    await writeJson(path, 3, { a: [1, { b: null }], text: 'ü' });
    expect(await readJson(path, 3)).toEqual({ a: [1, { b: null }], text: 'ü' });
  });

  it('have the version of the format, whatever a value brings', async () => {
    const path = scratch.path('x.json');
    await writeJson(path, 2, { version: 1, a: 1 });
    expect(await readJson(path, 2)).toEqual({ a: 1 });
  });

  it.each([
    ['', 'is not JSON'],
    ['{"version":1', 'is not JSON'],
    ['[1]', 'holds no object'],
    ['null', 'holds no object'],
    ['{}', 'has version undefined, not 1'],
    ['{"version":"1"}', 'has version "1", not 1'],
    ['{"version":2}', 'has version 2, not 1'],
  ])('%p is refused', async (text, why) => {
    const path = scratch.path('x.json');
    await writeFile(path, text);
    expect(await rejection(readJson(path, 1))).toMatchObject({ code: 'data-loss', message: `${path} ${why}` });
  });

  it('that are missing are told by their errno', async () => {
    expect((await rejection(readJson(scratch.path('none'), 1))).code).toBe('ENOENT');
  });
});

describe('directories', () => {
  it('are made with their parents, once or again, and removed', async () => {
    const path = scratch.path('a', 'b');
    await ensureDirectory(path, 0o711);
    await ensureDirectory(path);
    expect((await stat(path)).mode & 0o777).toBe(0o711);
    await writeFile(`${path}/file`, '');
    await chmod(path, 0o500);
    await removeTree(scratch.path('a'));
    await removeTree(scratch.path('a'));
    expect(await readdir(scratch.root)).toEqual([]);
  });

  const mode = async (...parts: string[]): Promise<number> => (await stat(scratch.path(...parts))).mode & 0o7777;

  it('have parents that are closed, whatever their own mode', async () => {
    await ensureDirectory(scratch.path('a', 'b', 'c'), 0o755);
    expect([await mode('a'), await mode('a', 'b'), await mode('a', 'b', 'c')]).toEqual([0o700, 0o700, 0o755]);
    await ensurePublicDirectory(scratch.path('x', 'y'));
    expect([await mode('x'), await mode('x', 'y')]).toEqual([0o755, 0o755]);
  });

  it('are closed to what they may be, never opened', async () => {
    await ensurePublicDirectory(scratch.path('a'));
    await closeDirectory(scratch.path('a'), 0o711);
    expect(await mode('a')).toBe(0o711);
    await closeDirectory(scratch.path('a'), 0o750);
    expect(await mode('a')).toBe(0o710);
    await closeDirectory(scratch.path('a'), 0o755);
    expect(await mode('a')).toBe(0o710);
    await closeDirectory(scratch.path('a'));
    expect(await mode('a')).toBe(0o700);
    await closeDirectory(scratch.path('none'));
  });
});
