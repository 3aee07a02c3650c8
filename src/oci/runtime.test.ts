import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';

import { describe, expect, it } from '@jest/globals';

import { mknodSync } from '../base/sys/calls.js';
import { identify } from '../base/sys/process.js';
import { identityOf, rejection, until, useScratch } from '../base/testing.js';
import { cgroupDirsOf, hierarchies, isCgroupV2 } from './cgroup.js';
import { createSlots } from './create-slots.js';
import { lastLogMessage } from './runtime.js';
import { makeBundle, makeRootfs, minimalSpec, ownCgroupParent, ownRuntime, RUNC } from './testing.js';

const scratch = useScratch('runtime');

async function prepare(id: string, more: Parameters<typeof minimalSpec>[2] = {}) {
  const cgroup = `${ownCgroupParent(scratch)}/${id}`;
  const runtime = ownRuntime(scratch);
  const rootfs = await makeRootfs(scratch.path('rootfs'));
  const bundle = await makeBundle(scratch, id, minimalSpec(rootfs, cgroup, more));
  return { runtime, rootfs, bundle, cgroup };
}

const initOf = async (bundle: string) => identityOf(Number(await readFile(`${bundle}/pid`, 'utf8')));

describe('a container', () => {
  it('is created, started and deleted, and nothing is left', async () => {
    const script = 'echo started > /tmp/file; readlink /proc/self/fd/1 2>/dev/null; exec sleep 60';
    const { runtime, rootfs, bundle, cgroup } = await prepare('one', { process: { args: ['sh', '-c', script] } });
    await runtime.create('one', bundle);
    const init = await initOf(bundle);
    expect(existsSync(`${rootfs}/tmp/file`)).toBe(false);
    expect(cgroupDirsOf(init.pid).some((dir) => dir.endsWith(cgroup))).toBe(true);
    expect(await readdir(bundle)).toEqual(['config.json', 'pid']);
    for (const fd of [0, 1, 2]) expect((await readdir(`/proc/${init.pid}/fd`)).includes(String(fd))).toBe(true);

    await runtime.start('one');
    await until(() => existsSync(`${rootfs}/tmp/file`));
    const places = cgroupDirsOf(init.pid).filter((dir) => dir.endsWith(cgroup));

    await runtime.delete('one');
    await runtime.delete('one');
    expect(identify(init.pid)).toBeUndefined();
    expect(places.filter((dir) => existsSync(dir))).toEqual([]);
    expect(await readdir(scratch.path('runtime'))).toEqual([]);
  });

  it('can have its limits changed', async () => {
    const { runtime, bundle } = await prepare('one');
    await runtime.create('one', bundle);
    const init = await initOf(bundle);
    await runtime.update('one', bundle, { devices: [], memory: { limit: 64 << 20 } });
    const limits = ['memory.limit_in_bytes', 'memory.max'];
    const files = cgroupDirsOf(init.pid).flatMap((dir) => limits.map((name) => `${dir}/${name}`));
    const [file = ''] = files.filter((path) => existsSync(path));
    expect(await readFile(file, 'utf8')).toBe(`${64 << 20}\n`);
    // The kernel takes no period below a millisecond, on either version.
    const error = await rejection(runtime.update('one', bundle, { devices: [], cpu: { period: 1, quota: 1 } }));
    expect(await readdir(bundle)).toEqual(['config.json', 'pid']);
    expect(error).toMatchObject({
      code: 'invalid-argument',
      message: expect.stringMatching(/^runtime handler "test": update "one": ./),
    });
  });
});

// crun runs on no hybrid host.
describe.each(isCgroupV2() ? [RUNC, '/usr/bin/crun'] : [RUNC])('what %s cannot delete', (path) => {
  /** A container with `damage` done to the runtime's files of it. */
  async function damaged(damage: (dir: string) => Promise<unknown>) {
    const { bundle, cgroup, rootfs } = await prepare('one');
    const runtime = ownRuntime(scratch, { path });
    await runtime.create('one', bundle);
    const init = await initOf(bundle);
    const places = cgroupDirsOf(init.pid).filter((dir) => dir.includes(cgroup));
    await damage(scratch.path('runtime', 'one'));
    return { runtime, bundle, cgroup, rootfs, init, places };
  }

  const name = path.endsWith('crun') ? 'status' : 'state.json';

  it.each([
    ['empty', (dir: string) => writeFile(`${dir}/${name}`, '')],
    ['an object without anything', (dir: string) => writeFile(`${dir}/${name}`, '{}')],
    ['cut', (dir: string) => truncate(`${dir}/${name}`, 100)],
    ['of another version', (dir: string) => writeFile(`${dir}/${name}`, '{"id":"one","init_process_pid":1,"pid":1}')],
    ['a directory', (dir: string) => rm(`${dir}/${name}`).then(() => mkdir(`${dir}/${name}`))],
    ['gone', (dir: string) => rm(`${dir}/${name}`)],
  ])('is taken away without it: its state is %s', async (_, damage) => {
    const { runtime, init, places } = await damaged(damage);
    expect(places).not.toEqual([]);
    await runtime.delete('one');
    expect(identify(init.pid)).toBeUndefined();
    expect(places.filter((dir) => existsSync(dir))).toEqual([]);
    expect(await readdir(scratch.path('runtime'))).toEqual([]);
  });
});

describe('a container that is frozen', () => {
  it('is ended without the runtime, too', async () => {
    const { runtime, bundle, cgroup } = await prepare('one');
    await runtime.create('one', bundle);
    const init = await initOf(bundle);
    const own = cgroupDirsOf(init.pid).filter((dir) => dir.includes(cgroup));
    for (const dir of own) {
      const [file, word] = isCgroupV2() ? ['cgroup.freeze', '1'] : ['freezer.state', 'FROZEN'];
      if (existsSync(`${dir}/${file}`)) await writeFile(`${dir}/${file}`, word);
    }
    await writeFile(scratch.path('runtime', 'one', 'state.json'), '{}');
    await runtime.delete('one');
    expect(identify(init.pid)).toBeUndefined();
    expect(own.filter((dir) => existsSync(dir))).toEqual([]);
  });
});

describe('a pipe in the place of its state', () => {
  it('does not hold the runtime up, which is not asked', async () => {
    const { runtime, bundle } = await prepare('one');
    await runtime.create('one', bundle);
    const init = await initOf(bundle);
    const state = scratch.path('runtime', 'one', 'state.json');
    await rm(state);
    mknodSync(state, 0o010600, { major: 0, minor: 0 });
    const path = await scratch.script('never', `touch ${scratch.path('asked')}`);
    await ownRuntime(scratch, { path }).delete('one');
    expect(existsSync(scratch.path('asked'))).toBe(false);
    expect(identify(init.pid)).toBeUndefined();
    expect(await readdir(scratch.path('runtime'))).toEqual([]);
  });
});

describe('a runtime that is gone', () => {
  it('does not keep what it has made', async () => {
    const { runtime, bundle, cgroup } = await prepare('one');
    await runtime.create('one', bundle);
    const init = await initOf(bundle);
    await ownRuntime(scratch, { path: '/no/such/runtime' }).delete('one');
    expect(identify(init.pid)).toBeUndefined();
    expect(hierarchies().filter((dir) => existsSync(`${dir}${cgroup}`))).toEqual([]);
    expect(await readdir(scratch.path('runtime'))).toEqual([]);
  });
});

describe('a program that breaks down', () => {
  it('is told by its reason, and not by its trace', async () => {
    const trace =
      'panic: runtime error: invalid memory address\\n[signal SIGSEGV]\\n\\ngoroutine 1 [running]:\\nmain.main()';
    const path = await scratch.script('broken', `printf 'level=warn\\n${trace}' >&2; exit 2`);
    const error = await rejection(ownRuntime(scratch, { path }).start('one'));
    expect(error.message).toBe(
      'runtime handler "test": start "one": level=warn\npanic: runtime error: invalid memory address',
    );
  });
});

describe('what the runtime refuses', () => {
  it.each([
    [
      'a command that is not there',
      { process: { args: ['no-such-program'] } },
      'unstartable',
      /"no-such-program": executable file not found/,
    ],
    ['a directory that is not absolute', { process: { cwd: 'relative' } }, 'unstartable', /[Cc]wd/],
    [
      'a sysctl without its namespace',
      { linux: { sysctl: { 'net.ipv4.ip_forward': '1' } } },
      'internal',
      /net\.ipv4\.ip_forward/,
    ],
  ])('%s is told at creation', async (_, more, code, message) => {
    const { runtime, bundle } = await prepare('bad', more);
    const error = await rejection(runtime.create('bad', bundle));
    expect(error).toMatchObject({ code, message: expect.stringMatching(message) });
    expect(error.message).toMatch(/^runtime handler "test": create "bad": /);
    await runtime.delete('bad');
    expect(await readdir(scratch.path('runtime')).catch(() => [])).toEqual([]);
  });

  it('a root filesystem that is not there', async () => {
    const { runtime, bundle, rootfs } = await prepare('bad');
    await rm(rootfs, { recursive: true });
    expect((await rejection(runtime.create('bad', bundle))).message).toContain(rootfs);
  });

  it('a configuration that is none', async () => {
    const { runtime, bundle } = await prepare('bad');
    await writeFile(`${bundle}/config.json`, '{');
    expect((await rejection(runtime.create('bad', bundle))).message).toContain('unexpected EOF');
  });

  it('a container that is not there', async () => {
    const error = await rejection(ownRuntime(scratch).start('ghost'));
    expect(error.message).toMatch(/^runtime handler "test": start "ghost": .*does not exist/);
  });
});

describe('a runtime', () => {
  it('that is not there is unavailable', async () => {
    const { bundle } = await prepare('one');
    const runtime = ownRuntime(scratch, { path: '/no/such/runc' });
    expect(await rejection(runtime.create('one', bundle))).toMatchObject({
      code: 'unavailable',
      message: 'cannot start /no/such/runc',
    });
    expect((await rejection(runtime.start('one'))).code).toBe('unavailable');
  });

  it('that hangs is killed at its deadline, with what it started', async () => {
    const { bundle } = await prepare('one');
    const path = await scratch.script('hang', `sleep 60 & echo $! > ${scratch.path('pid')}; wait`);
    const runtime = ownRuntime(scratch, { path, timeoutMs: 300 });
    expect(await rejection(runtime.create('one', bundle))).toMatchObject({
      code: 'deadline-exceeded',
      message: 'runtime handler "test": create "one": the deadline passed',
    });
    const pid = Number(await readFile(scratch.path('pid'), 'utf8'));
    await until(() => identify(pid) === undefined);
    expect((await rejection(runtime.start('one'))).code).toBe('deadline-exceeded');
  });

  it('that is killed says so', async () => {
    const path = await scratch.script('die', 'kill -KILL $$');
    const error = await rejection(ownRuntime(scratch, { path }).start('one'));
    expect(error).toMatchObject({ code: 'deadline-exceeded', message: 'runtime handler "test": start one was killed' });
  });

  it('is not asked to delete what it does not have', async () => {
    const path = await scratch.script('never', `touch ${scratch.path('asked')}; exit 1`);
    await ownRuntime(scratch, { path }).delete('one');
    expect(existsSync(scratch.path('asked'))).toBe(false);
  });

  it('makes as many containers at a time as it may', async () => {
    const { bundle } = await prepare('one');
    const body = `n=$(ls ${scratch.root} | grep -c inside); echo $n >> ${scratch.path('seen')}
      touch ${scratch.path('inside-$$')}; sleep 0.1; rm ${scratch.path('inside-$$')}`;
    const runtime = ownRuntime(scratch, { path: await scratch.script('count', body), creates: createSlots(2) });
    await Promise.all(['a', 'b', 'c', 'd', 'e'].map((id) => runtime.create(id, bundle)));
    const seen = (await readFile(scratch.path('seen'), 'utf8')).trim().split('\n').map(Number);
    expect(seen).toHaveLength(5);
    expect(Math.max(...seen)).toBeLessThan(2);
  });

  it('that was built without seccomp is no bug of ours', () => {
    const reason = 'unable to start container process: seccomp: config provided but seccomp not supported';
    const { code, message } = ownRuntime(scratch).failure('create', 'x', reason);
    expect({ code, message }).toEqual({
      ...{ code: 'failed-precondition', message: `runtime handler "test": create "x": ${reason}` },
    });
  });

  it('is told of systemd', () => {
    expect(ownRuntime(scratch).globalArgs).toEqual([`--root=${scratch.path('runtime')}`]);
    expect(ownRuntime(scratch, { cgroupDriver: 'systemd' }).globalArgs).toContain('--systemd-cgroup');
  });
});

describe('lastLogMessage', () => {
  it.each([
    [undefined, 'no message'],
    ['', 'no message'],
    ['plain text', 'plain text'],
    ['{"level":"error","msg":"why"}', 'why'],
    ['{"level":"error","msg":"first"}\n{"level":"error","msg":"last"}\n', 'last'],
    ['{"level":"error","msg":"why"}\n{"level":"info","msg":"later"}\n', 'why'],
    ['{"level":"info","msg":"only"}', 'only'],
    ['{"level":"error"}', '{"level":"error"}'],
    ['{"level":"error","msg":"cut', '{"level":"error","msg":"cut'],
  ])('of %j is %s', (log, message) => {
    expect(lastLogMessage(log)).toBe(message);
  });
});

describe('what a runtime says', () => {
  it.each([
    ['invalid-argument', '"/x/rootfs/proc" cannot be mounted because it is not of type proc'],
    ['invalid-argument', 'failed to write "9": write /sys/fs/cgroup/cpuset/p/c/cpuset.cpus: permission denied'],
    ['invalid-argument', 'error creating device nodes: mknod /x/rootfs/proc/x: no such file or directory'],
    ['unstartable', 'error mounting "/s/f" to rootfs at "/etc": mount /s/f:/etc, flags: 0x5000: not a directory'],
    ['unstartable', 'mount `/s/f` to `etc`: Not a directory'],
    ['unstartable', 'error mounting "/s/d" to rootfs at "/r/t": mkdir /x/rootfs/r/t: read-only file system'],
    ['failed-precondition', 'cannot start a container that has stopped'],
    ['failed-precondition', 'container `a` is not running'],
    ['internal', 'mkdir /run/runc/a: read-only file system'],
    ['internal', 'write /run/runc/a/state.json: input/output error'],
    ['internal', 'error mounting "proc" to rootfs at "/proc": mount proc:/proc, flags: 0xe: invalid argument'],
  ])('is %s: %s', (code, reason) => {
    expect(ownRuntime(scratch).failure('create', 'a', reason)).toMatchObject({ code });
  });
});
