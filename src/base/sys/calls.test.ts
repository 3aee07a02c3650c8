import { spawn } from 'node:child_process';
import { lstatSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';

import { describe, expect, it } from '@jest/globals';

import { errnoOf } from '../errors.js';
import { MINIMAL_ENV, runOk } from '../spawn.js';
import { rejection, until, useScratch } from '../testing.js';
import {
  createNetnsSync,
  lsetxattrSync,
  mknodSync,
  mountOverlayByData,
  mountOverlaySync,
  MS,
  pidfdOpenSync,
  tryLockSync,
} from './calls.js';
import { raw } from './libc.js';
import { createNetns, mount, mountOverlay, readInRoot, syncFileSystem, unmount, writeInNetns } from './sys.js';
import { readXattrsSync, readXattrSync } from './xattr.js';

const scratch = useScratch('sys');

function thrown(call: () => unknown): unknown {
  try {
    call();
  } catch (error) {
    return error;
  }
  return undefined;
}

describe('errors', () => {
  it.each([
    [() => mknodSync('/no/such/place', 0o100644, { major: 0, minor: 0 }), 'ENOENT', 'mknod /no/such/place: ENOENT'],
    [() => mknodSync('/etc/passwd', 0o100644, { major: 0, minor: 0 }), 'EEXIST', 'mknod /etc/passwd: EEXIST'],
    [() => pidfdOpenSync(2 ** 22 + 1), 'ESRCH', 'pidfd_open 4194305: ESRCH'],
    [() => pidfdOpenSync(-5), 'EINVAL', 'pidfd_open -5: EINVAL'],
    [() => lsetxattrSync('/proc/self', 'user.x', Buffer.from('x')), 'EOPNOTSUPP|ENOTSUP|EPERM', 'lsetxattr user.x on'],
  ])('carry the name of the errno: %p', (call, code, message) => {
    const error = thrown(call);
    expect(errnoOf(error)).toMatch(new RegExp(`^(${code})$`));
    expect(String(error)).toContain(message);
  });

  it('name an errno as node:fs does, and keep it on the way from the worker', async () => {
    const fd = raw.openat2(-100, '/', Buffer.alloc(24));
    expect(fd).toBeGreaterThan(0);
    raw.close(fd);
    const request = { source: 'none', target: scratch.path('none'), type: 'tmpfs' };
    expect(await rejection(mount(request))).toMatchObject({
      code: 'ENOENT',
      syscall: 'mount',
      message: `mount tmpfs none on ${scratch.path('none')}: ENOENT`,
    });
    const noType = { ...request, target: scratch.root, type: 'nofs' };
    expect(await rejection(mount(noType))).toMatchObject({ code: 'ENODEV', syscall: 'mount' });
  });
});

describe('mount and unmount', () => {
  async function isMounted(path: string): Promise<boolean> {
    return (await readFile('/proc/self/mounts', 'utf8')).includes(` ${path} `);
  }

  it('unmounts all that is stacked, and does not mind nothing', async () => {
    const target = scratch.path('target');
    await unmount(target);
    await mkdir(target);
    await unmount(target);
    for (const size of ['64k', '128k', '256k'])
      await mount({ source: 'tmpfs', target, type: 'tmpfs', data: `size=${size}` });
    expect(await isMounted(target)).toBe(true);
    await unmount(target);
    expect(await isMounted(target)).toBe(false);
    await writeFile(scratch.path('file'), '');
    await unmount(scratch.path('file', 'below'));
  });

  it('leaves a busy one alone unless told to detach it', async () => {
    const target = scratch.path('target');
    await mkdir(target);
    await mount({ source: 'tmpfs', target, type: 'tmpfs' });
    const child = spawn('/bin/sleep', ['60'], { cwd: target, stdio: 'ignore' });
    scratch.defer(() => child.kill('SIGKILL'));
    scratch.defer(() => unmount(target, { detach: true }));
    await until(() => readFile(`/proc/${child.pid}/cmdline`, 'utf8').then((text) => text.includes('60')));
    expect((await rejection(unmount(target))).code).toBe('EBUSY');
    await unmount(target, { detach: true });
    expect(await isMounted(target)).toBe(false);
  });

  it('does not follow a link to the mount of another', async () => {
    const target = scratch.path('target');
    await mkdir(target);
    await mount({ source: 'tmpfs', target, type: 'tmpfs' });
    scratch.defer(() => unmount(target));
    await symlink(target, scratch.path('link'));
    await unmount(scratch.path('link'));
    expect(await isMounted(target)).toBe(true);
  });

  it('binds with flags', async () => {
    const [source, target] = [scratch.path('source'), scratch.path('target')];
    await mkdir(source);
    await mkdir(target);
    await writeFile(`${source}/file`, 'text');
    scratch.defer(() => unmount(target));
    await mount({ source, target, flags: MS.BIND });
    await mount({ source: 'none', target, flags: MS.BIND | MS.REMOUNT | MS.RDONLY });
    expect(readFileSync(`${target}/file`, 'utf8')).toBe('text');
    expect(errnoOf(thrown(() => writeFileSync(`${target}/file`, 'x')))).toBe('EROFS');
  });

  it('syncs a file system', async () => {
    await syncFileSystem(scratch.root);
    expect((await rejection(syncFileSystem(scratch.path('none')))).code).toBe('ENOENT');
  });
});

describe('overlays', () => {
  /** `count` layers, each with a file of its own and one that all have. */
  async function layers(count: number, prefix = 'layer'): Promise<string[]> {
    const dirs = Array.from({ length: count }, (_, index) => scratch.path(`${prefix}-${index}`));
    for (const [index, dir] of dirs.entries()) {
      await mkdir(dir);
      await writeFile(`${dir}/own-${index}`, '');
      await writeFile(`${dir}/shared`, String(index));
    }
    return dirs;
  }

  async function request(lower: readonly string[]) {
    const [upper, work, target] = [scratch.path('upper'), scratch.path('work'), scratch.path('merged')];
    for (const dir of [upper, work, target]) await mkdir(dir);
    scratch.defer(() => unmount(target));
    return { lower, upper, work, target };
  }

  it.each([1, 2, 130, 400])('shows %d layers, the first on top, and writes above them', async (count) => {
    const lower = await layers(count);
    const overlay = await request(lower);
    await mountOverlay({ ...overlay, volatile: true });
    expect(readdirSync(overlay.target)).toHaveLength(count + 1);
    expect(readFileSync(`${overlay.target}/shared`, 'utf8')).toBe('0');
    writeFileSync(`${overlay.target}/shared`, 'new');
    expect(readFileSync(`${overlay.upper}/shared`, 'utf8')).toBe('new');
    expect(readFileSync(`${lower[0]}/shared`, 'utf8')).toBe('0');
  });

  it('takes paths with the characters that options are made of', async () => {
    const lower = await layers(2, 'a:b,c');
    const overlay = await request(lower);
    await mountOverlay(overlay);
    expect(readdirSync(overlay.target).sort()).toEqual(['own-0', 'own-1', 'shared']);
  });

  it('does the same by one page of options, where that holds them', async () => {
    const lower = await layers(3, 'a:b,c\\d');
    const overlay = await request(lower);
    mountOverlayByData({ ...overlay, volatile: true });
    expect(readdirSync(overlay.target).sort()).toEqual(['own-0', 'own-1', 'own-2', 'shared']);
    await unmount(overlay.target);
    // The kernel would cut the list and mount what is left of it.
    const many = Array.from({ length: 130 }, () => lower[0] ?? '');
    expect(thrown(() => mountOverlayByData({ ...overlay, lower: many }))).toMatchObject({
      code: 'E2BIG',
      message: `mount overlay on ${overlay.target}: the paths of 130 layers are too long`,
    });
    expect(readdirSync(overlay.target)).toEqual([]);
  });

  it('says which directory is missing', async () => {
    const overlay = await request(await layers(1));
    const error = thrown(() => mountOverlaySync({ ...overlay, lower: [scratch.path('none')] }));
    expect(error).toMatchObject({ code: 'ENOENT', message: expect.stringContaining(scratch.path('none')) });
    expect((await rejection(mountOverlay({ ...overlay, target: scratch.path('no') }))).code).toBe('ENOENT');
  });

  it('keeps no descriptor, of a failure either', async () => {
    const overlay = await request(await layers(2));
    const count = (): number => readdirSync('/proc/self/fd').length;
    await mountOverlay(overlay);
    await unmount(overlay.target);
    const before = count();
    for (let round = 0; round < 5; round++) {
      await mountOverlay(overlay);
      await unmount(overlay.target);
      await rejection(mountOverlay({ ...overlay, upper: scratch.path('none') }));
      await rejection(mountOverlay({ ...overlay, target: scratch.path('none') }));
    }
    expect(count()).toBe(before);
  });
});

describe('network namespaces', () => {
  async function netns(): Promise<string> {
    const path = scratch.path('netns');
    await writeFile(path, '');
    scratch.defer(() => unmount(path, { detach: true }));
    return path;
  }

  const inside = async (path: string, ...command: string[]): Promise<string> => {
    const args = [`--net=${path}`, ...command];
    return (await runOk('nsenter', args, { timeoutMs: 5_000, env: MINIMAL_ENV })).stdout.toString();
  };

  it('is new, empty and pinned, and the threads stay where they are', async () => {
    const before = statSync('/proc/self/ns/net').ino;
    const path = await netns();
    await createNetns(path);
    expect(statSync(path).ino).not.toBe(before);
    expect(await inside(path, 'ip', '-o', 'link')).toMatch(/^1: lo: <LOOPBACK[^\n]*\n$/);
    const tasks = readdirSync('/proc/self/task').map((task) => statSync(`/proc/self/task/${task}/ns/net`).ino);
    expect(new Set(tasks)).toEqual(new Set([before]));
    expect(errnoOf(await rejection(createNetns(scratch.path('none'))))).toBe('ENOENT');
    const after = readdirSync('/proc/self/task').map((task) => statSync(`/proc/self/task/${task}/ns/net`).ino);
    expect(new Set(after)).toEqual(new Set([before]));
  });

  it('brings even the main thread back', async () => {
    const before = statSync('/proc/thread-self/ns/net').ino;
    createNetnsSync(await netns());
    expect(statSync('/proc/thread-self/ns/net').ino).toBe(before);
  });

  it('gets its sysctls written, and ours stay', async () => {
    const file = '/proc/sys/net/ipv4/ip_default_ttl';
    const before = readFileSync(file, 'utf8');
    const path = await netns();
    await createNetns(path);
    await writeInNetns(path, [
      [file, '33'],
      ['/proc/sys/net/ipv4/conf/lo/rp_filter', '2'],
    ]);
    expect(await inside(path, 'cat', file, '/proc/sys/net/ipv4/conf/lo/rp_filter')).toBe('33\n2\n');
    expect(readFileSync(file, 'utf8')).toBe(before);
  });

  it.each([
    ['net/ipv4/no_such', '1', 'ENOENT'],
    ['net/ipv4/ip_default_ttl', 'many', 'EINVAL'],
    ['net/core/rps_sock_flow_entries/x', '1', 'ENOENT|ENOTDIR'],
  ])('says which sysctl it cannot write: %s', async (name, value, code) => {
    const path = await netns();
    await createNetns(path);
    const error = await rejection(writeInNetns(path, [[`/proc/sys/${name}`, value]]));
    expect(error.code).toMatch(new RegExp(`^(${code})$`));
    expect(error.message).toContain(`write "${value}" to /proc/sys/${name}: `);
  });

  it('says that there is none', async () => {
    expect((await rejection(writeInNetns(scratch.path('none'), []))).code).toBe('ENOENT');
    await writeFile(scratch.path('file'), '');
    expect((await rejection(writeInNetns(scratch.path('file'), []))).code).toBe('EINVAL');
  });
});

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

describe('tryLock', () => {
  it('gives a lock to one, until it ends', async () => {
    const path = scratch.path('lock');
    const holder = scratch.shell(`exec 9>${path}; flock 9; echo locked; exec sleep 60`);
    await new Promise((resolve) => holder.stdout?.once('data', resolve));
    expect(tryLockSync(path)).toBe(false);
    holder.kill('SIGKILL');
    await until(() => tryLockSync(path));
    expect(tryLockSync(path)).toBe(false);
  });

  it('says that there is no place for it', () => {
    expect(errnoOf(thrown(() => tryLockSync(scratch.path('none', 'lock'))))).toBe('ENOENT');
  });
});

describe('mknod', () => {
  it.each([
    [1, 3],
    [8, 300],
    [259, 1_048_575],
    [4095, 255],
  ])('makes a device %d:%d', (major, minor) => {
    const path = scratch.path('node');
    mknodSync(path, 0o020600, { major, minor });
    const stat = statSync(path);
    expect(stat.isCharacterDevice()).toBe(true);
    const { rdev } = stat;
    expect([(rdev >> 8) & 0xfff, (rdev & 0xff) | ((rdev / 4096) & 0xfff00)]).toEqual([major, minor]);
  });

  it('makes what a null device does', () => {
    const path = scratch.path('null');
    mknodSync(path, 0o020666, { major: 1, minor: 3 });
    expect(readFileSync(path, 'utf8')).toBe('');
    mknodSync(scratch.path('fifo'), 0o010600, { major: 0, minor: 0 });
    expect(lstatSync(scratch.path('fifo')).isFIFO()).toBe(true);
  });
});

describe('extended attributes', () => {
  it('are set and read on the path itself', () => {
    const path = scratch.path('file');
    writeFileSync(path, '');
    symlinkSync('file', scratch.path('link'));
    lsetxattrSync(path, 'trusted.one', Buffer.from([0, 255, 1]));
    lsetxattrSync(path, 'trusted.empty', Buffer.alloc(0));
    lsetxattrSync(scratch.path('link'), 'trusted.link', Buffer.from('own'));
    expect([...readXattrsSync(path)].sort()).toEqual([
      ['trusted.empty', Buffer.alloc(0)],
      ['trusted.one', Buffer.from([0, 255, 1])],
    ]);
    expect(readXattrSync(scratch.path('link'), 'trusted.link')?.toString()).toBe('own');
    expect(readXattrSync(scratch.path('link'), 'trusted.one')).toBeUndefined();
    expect(readXattrsSync('/proc/self/status').size).toBe(0);
    expect(errnoOf(thrown(() => readXattrsSync(scratch.path('none'))))).toBe('ENOENT');
  });
});

describe('the workers', () => {
  it('answer many calls at once, each with its own', async () => {
    await writeFile(scratch.path('file'), 'text');
    const reads = Array.from({ length: 50 }, (_, index) => readInRoot(scratch.root, index % 2 ? '/file' : '/none'));
    const results = (await Promise.all(reads)).map((bytes) => bytes?.toString());
    expect(results).toEqual(Array.from({ length: 50 }, (_, index) => (index % 2 ? 'text' : undefined)));
  });

  it('do not keep a program alive that is done', async () => {
    const module = new URL('./sys.js', import.meta.url).href;
    const program = scratch.path('program.mjs');
    await writeFile(program, `import { unmount } from '${module}'; await unmount('/no/such'); console.log('done');`);
    const { stdout } = await runOk(process.execPath, [program], { timeoutMs: 10_000, env: MINIMAL_ENV });
    expect(stdout.toString()).toBe('done\n');
  });
});
