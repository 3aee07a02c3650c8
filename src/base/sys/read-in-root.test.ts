import { spawn } from 'node:child_process';
import { readdirSync, symlinkSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';

import { describe, expect, it } from '@jest/globals';

import { runOk } from '../spawn.js';
import { rejection, useScratch } from '../testing.js';
import { mknodSync } from './calls.js';
import { mount, readInRoot, unmount } from './sys.js';

const scratch = useScratch('read');

describe('readInRoot', () => {
  const read = async (path: string, limit?: number): Promise<string | undefined> =>
    (await readInRoot(scratch.path('root'), path, limit))?.toString();

  async function root(): Promise<string> {
    await writeFile(scratch.path('secret'), 'of the host');
    await mkdir(scratch.path('root', 'etc'), { recursive: true });
    await writeFile(scratch.path('root', 'etc', 'passwd'), 'root:x:0:0');
    return scratch.path('root');
  }

  it('reads a file, as much as is allowed', async () => {
    await root();
    expect(await read('/etc/passwd')).toBe('root:x:0:0');
    expect(await read('etc/passwd')).toBe('root:x:0:0');
    expect(await read('/etc/passwd', 4)).toBe('root');
    await writeFile(scratch.path('root', 'empty'), '');
    expect(await read('/empty')).toBe('');
  });

  it('finds nothing where there is nothing, or no regular file', async () => {
    const dir = await root();
    symlinkSync('loop', `${dir}/loop`);
    await runOk('mkfifo', [`${dir}/fifo`], { timeoutMs: 5_000 });
    mknodSync(`${dir}/device`, 0o020666, { major: 1, minor: 5 });
    for (const path of ['/none', '/etc', '/etc/passwd/below', '/loop', '/fifo', '/device', '/none/../etc/passwd'])
      expect([path, await read(path)]).toEqual([path, undefined]);
  });

  it('opens nothing that an open alone would set off', async () => {
    const dir = await root();
    await runOk('mkfifo', [`${dir}/fifo`], { timeoutMs: 5_000 });
    const reader = spawn('/bin/sh', ['-c', `echo > ${dir}/fifo; echo opened`], { stdio: ['ignore', 'pipe', 'ignore'] });
    scratch.defer(() => reader.kill('SIGKILL'));
    let opened = false;
    reader.stdout.on('data', () => (opened = true));
    expect(await read('/fifo')).toBeUndefined();
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(opened).toBe(false);
  });

  it.each([
    ['an absolute link', '/etc/link', '/etc/passwd', 'root:x:0:0'],
    ['a relative link', '/etc/link', '../etc/passwd', 'root:x:0:0'],
    ['a link that climbs out', '/etc/link', '../../../../../../../etc/passwd', 'root:x:0:0'],
    ['a link to a secret beside the root', '/etc/link', '../../secret', undefined],
    ['an absolute link to the host', '/etc/link', 'HOST/secret', undefined],
    ['a magic link', '/etc/link', '/proc/self/root/etc/passwd', undefined],
  ])('stays inside: %s', async (_, link, target, text) => {
    const dir = await root();
    symlinkSync(target.replace('HOST', scratch.root), `${dir}${link}`);
    expect(await read(link)).toBe(text);
  });

  it.each(['../secret', '/../secret', '/etc/../../secret'])('stays inside for the path %s', async (path) => {
    await root();
    expect(await read(path)).toBeUndefined();
  });

  it('follows no magic link of a proc file system inside', async () => {
    const dir = await root();
    await mkdir(`${dir}/proc`);
    await mount({ source: 'proc', target: `${dir}/proc`, type: 'proc' });
    scratch.defer(() => unmount(`${dir}/proc`));
    expect(await read('/proc/self/root/etc/passwd')).toBeUndefined();
    expect(await read('/proc/self/cwd/package.json')).toBeUndefined();
  });

  it('says that there is no root', async () => {
    expect((await rejection(readInRoot(scratch.path('none'), '/x'))).code).toBe('ENOENT');
  });

  it('keeps no descriptor', async () => {
    await root();
    await Promise.all([read('/etc/passwd'), read('/etc/passwd')]);
    const before = readdirSync('/proc/self/fd').length;
    for (let round = 0; round < 20; round++) await Promise.all([read('/etc/passwd'), read('/none'), read('/etc')]);
    expect(readdirSync('/proc/self/fd')).toHaveLength(before);
  });
});
