import { existsSync, readFileSync } from 'node:fs';
import { mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises';

import { describe, expect, it } from '@jest/globals';

import { identify } from '../base/sys/process.js';
import { rejection, thrown, until, useScratch } from '../base/testing.js';
import { cgroupDirsOf, cgroupsPath, isCgroupV2, killCgroup, OwnCgroup } from './cgroup.js';
import { ownCgroupParent } from './testing.js';

const scratch = useScratch('cgroup');

describe('cgroupsPath', () => {
  it.each([
    ['cgroupfs', '/kubepods/burstable/pod1', '/kubepods/burstable/pod1/abc'],
    ['cgroupfs', 'kubepods', '/kubepods/abc'],
    ['cgroupfs', '', '/abc'],
    ['cgroupfs', '/a//b/./c/', '/a/b/c/abc'],
    ['systemd', 'kubepods-besteffort-pod1.slice', 'kubepods-besteffort-pod1.slice:gantry:abc'],
    ['systemd', '/kubepods.slice/kubepods-pod1.slice', 'kubepods-pod1.slice:gantry:abc'],
    ['systemd', '/kubepods.slice/', 'kubepods.slice:gantry:abc'],
  ] as const)('with %s of "%s" is %s', (driver, parent, path) => {
    expect(cgroupsPath(driver, parent, 'abc')).toBe(path);
  });

  it.each([
    ['cgroupfs', '/kubepods/../../etc', 'has ".."'],
    ['cgroupfs', '..', 'has ".."'],
    ['systemd', '/a/../b.slice', 'has ".."'],
    ['systemd', '/kubepods/burstable', 'is no slice, but the cgroup driver is systemd'],
    ['systemd', 'a:b.slice', 'is no slice, but the cgroup driver is systemd'],
    ['systemd', '', 'is no slice, but the cgroup driver is systemd'],
    ['systemd', '.slice', 'is no slice, but the cgroup driver is systemd'],
  ] as const)('with %s refuses the parent "%s"', (driver, parent, why) => {
    expect(thrown(() => cgroupsPath(driver, parent, 'abc'))).toMatchObject({
      code: 'invalid-argument',
      message: `cgroup_parent "${parent}" ${why}`,
    });
  });
});

/** Where a process is, by hierarchy: `/sys/fs/cgroup/memory/…`. */
const placesOf = (pid: number): string[] => cgroupDirsOf(pid);
const hierarchies = (): string[] =>
  readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' '))
    .filter(([, , type]) => type === 'cgroup' || type === 'cgroup2')
    .map(([, target = '']) => target);

describe('OwnCgroup', () => {
  it('takes processes in every hierarchy, with their processors', async () => {
    const parent = ownCgroupParent(scratch);
    const cgroup = await OwnCgroup.make(`${parent}/monitors`);
    await OwnCgroup.make(`${parent}/monitors`);
    const child = scratch.shell('exec sleep 60');
    await cgroup.add(child.pid);
    expect(placesOf(child.pid).sort()).toEqual(
      hierarchies()
        .map((mount) => `${mount}${parent}/monitors`)
        .sort(),
    );
    if (!isCgroupV2()) {
      const cpus = (path: string) => readFile(`/sys/fs/cgroup/cpuset${path}/cpuset.cpus`, 'utf8');
      expect(await cpus(`${parent}/monitors`)).toBe(await cpus('/'));
    }
  });

  it('does not mind a process that has ended, but a cgroup that is gone', async () => {
    const parent = ownCgroupParent(scratch);
    const cgroup = await OwnCgroup.make(parent);
    const child = scratch.shell('exit');
    await until(() => identify(child.pid) === undefined);
    await cgroup.add(child.pid);
    for (const mount of hierarchies()) await rmdir(`${mount}${parent}`);
    expect((await rejection(cgroup.add(scratch.shell('exec sleep 60').pid))).code).toBe('ENOENT');
  });
});

describe('cgroupDirsOf', () => {
  it('has only directories that are there, and not the root', () => {
    const child = scratch.shell('exec sleep 60');
    expect(placesOf(child.pid).filter((dir) => !existsSync(dir))).toEqual([]);
    expect(thrown(() => cgroupDirsOf(2 ** 30))).toMatchObject({ code: 'ENOENT' });
  });
});

describe('killCgroup', () => {
  /** A cgroup in one hierarchy of v1, or in that of v2. */
  async function make(hierarchy: string): Promise<string> {
    const dir = `${isCgroupV2() ? '/sys/fs/cgroup' : `/sys/fs/cgroup/${hierarchy}`}${ownCgroupParent(scratch)}`;
    await mkdir(dir);
    return dir;
  }

  /** Runs a script in a cgroup, from its first fork on. */
  async function runIn(dir: string, script: string): Promise<{ readonly pid: number }> {
    const go = scratch.path(`go-${dir.replaceAll('/', '-')}`);
    const child = scratch.shell(`while [ ! -e ${go} ]; do sleep 0.01; done; ${script}`);
    await writeFile(`${dir}/cgroup.procs`, String(child.pid));
    await writeFile(go, '');
    return child;
  }

  it.each(['freezer', 'unified'])('kills all that is in it and below it: %s', async (hierarchy) => {
    const dir = await make(hierarchy);
    await mkdir(`${dir}/below/deep`, { recursive: true });
    const dirs = ['', '/below', '/below/deep'].map((path) => `${dir}${path}`);
    const script = `trap '' TERM; setsid sleep 60 & while :; do sleep 0.01; done`;
    const children = await Promise.all(dirs.map((each) => runIn(each, script)));
    await until(async () => (await readFile(`${dir}/cgroup.procs`, 'utf8')).split('\n').length > 2);
    const outside = scratch.shell('exec sleep 60');

    await killCgroup(dir);

    for (const each of dirs) expect(await readFile(`${each}/cgroup.procs`, 'utf8')).toBe('');
    expect(children.filter(({ pid }) => identify(pid) !== undefined)).toEqual([]);
    expect(identify(outside.pid)).toBeDefined();
    // The cgroup itself is the runtime's to remove.
    expect(await readdir(dir)).toContain('below');
  });

  it('catches processes that fork and end', async () => {
    const dir = await make('freezer');
    await scratch.script('hop', `echo >> ${scratch.path('hops')}; sleep 0.02; ${scratch.path('hop')} & exit`);
    await runIn(dir, `exec ${scratch.path('hop')}`);
    await until(() => existsSync(scratch.path('hops')));
    await killCgroup(dir);
    expect(await readFile(`${dir}/cgroup.procs`, 'utf8')).toBe('');
  });

  it('does not mind one that is gone, or empty', async () => {
    await killCgroup('/sys/fs/cgroup/no/such/cgroup');
    await killCgroup(await make('freezer'));
  });
});
