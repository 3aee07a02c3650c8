import { lstatSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';

import { describe, expect, it } from '@jest/globals';

import { errnoOf } from '../errors.js';
import { MINIMAL_ENV, runOk } from '../spawn.js';
import { rejection, thrown, until, useScratch } from '../testing.js';
import { lsetxattrSync, mknodSync, pidfdOpenSync, tryLockSync } from './calls.js';
import { raw } from './libc.js';
import { mount, readInRoot } from './sys.js';
import { readXattrsSync, readXattrSync } from './xattr.js';

const scratch = useScratch('sys');

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
    const fd = raw.openat2(-100, '/', { flags: 0, resolve: 0 });
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
