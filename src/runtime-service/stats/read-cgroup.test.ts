import { rm } from 'node:fs/promises';
import { join } from 'node:path';

import { beforeEach, describe, expect, it } from '@jest/globals';

import { useScratch } from '../../base/testing.js';
import { cgroupDirsOf, isCgroupV2 } from '../../oci/cgroup.js';
import { V1_CGROUP, V2_CGROUP, writeCgroup } from './cgroup-fixture.js';
import { cgroupPathOf, readCgroup, type CgroupHost } from './read-cgroup.js';

const PATH = '/kubepods/pod1/abc';

const PRESSURE = {
  some: { totalNs: 5_200_300_000n, avg10: 12.5, avg60: 3.25, avg300: 0.75 },
  full: { totalNs: 900_200_000n, avg10: 1.5, avg60: 0.5, avg300: 0.1 },
};

const CPU = {
  userNs: 1_500_301_000n,
  periods: 120n,
  throttledPeriods: 30n,
  throttledNs: 4_500_000_000n,
  pressure: PRESSURE,
};

const MEMORY = {
  usage: 52428800n,
  workingSet: 52428800n - 31457280n,
  limit: 104857600n,
  rss: 10485760n,
  cache: 40960000n,
  mappedFile: 2097152n,
  activeFile: 9498624n,
  inactiveFile: 31457280n,
  pageFaults: 15400n,
  majorPageFaults: 12n,
  peak: 73400320n,
  limitHits: 7n,
  oomKills: 1n,
};

const scratch = useScratch('cgroup');

describe('readCgroup on v2', () => {
  let host: CgroupHost;
  beforeEach(async () => {
    host = { mount: scratch.root, version: 2 };
    await writeCgroup(host, PATH, V2_CGROUP);
  });

  it('reads every controller', async () => {
    const use = await readCgroup(host, PATH);
    expect(use.cpu).toEqual({ ...CPU, usageNs: 2_500_417_000n, systemNs: 1_000_116_000n });
    expect(use.memory).toMatchObject({ ...MEMORY, pressure: { some: { totalNs: 150_000n } } });
    expect(use.swap).toEqual({ usage: 1048576n, limit: 5242880n });
    expect(use.tasks).toEqual({ threads: 5n, limit: 100n });
    expect(use.io?.devices.map(({ device }) => device)).toEqual(['8:16', '8:0']);
    expect(use.io?.pressure?.some?.avg300).toBe(0.56);
    expect(use.processes).toEqual([4021, 4077]);
  });

  it('has no limits where there are none', async () => {
    await writeCgroup(host, PATH, { 'memory.max': 'max\n', 'memory.swap.max': 'max\n', 'pids.max': 'max\n' });
    const { memory, swap, tasks } = await readCgroup(host, PATH);
    expect(memory).not.toHaveProperty('limit');
    expect(swap).toEqual({ usage: 1048576n });
    expect(tasks).toEqual({ threads: 5n });
  });

  it('does without the files of later kernels and of pressure', async () => {
    for (const name of ['memory.peak', 'cpu.pressure', 'memory.pressure', 'io.pressure', 'memory.swap.current'])
      await rm(join(host.mount, PATH, name));
    const use = await readCgroup(host, PATH);
    expect(use.memory).not.toHaveProperty('peak');
    for (const part of [use.cpu, use.memory, use.io]) expect(part).not.toHaveProperty('pressure');
    expect(use).not.toHaveProperty('swap');
    expect(use.io?.devices).toHaveLength(2);
  });

  it('has the root of a controller-less cgroup: time alone', async () => {
    await writeCgroup(host, '/bare', { 'cpu.stat': 'usage_usec 1\nuser_usec 1\nsystem_usec 0\n', 'cgroup.procs': '' });
    const use = await readCgroup(host, '/bare');
    expect(use.cpu).toMatchObject({ usageNs: 1000n, periods: 0n });
    expect(Object.keys(use).sort()).toEqual(['cpu', 'processes']);
  });

  it('counts the processes of the cgroups below', async () => {
    await writeCgroup(host, `${PATH}/init.scope`, { 'cgroup.procs': '1\n' });
    await writeCgroup(host, `${PATH}/system.slice/a.service`, { 'cgroup.procs': '2\n3\n' });
    expect((await readCgroup(host, PATH)).processes).toHaveLength(5);
  });

  it('finds no use in a cgroup that is gone', async () => {
    expect(await readCgroup(host, '/gone')).toEqual({});
  });

  it('knows the path of a directory', () => {
    expect(cgroupPathOf(host, join(host.mount, PATH))).toBe(PATH);
  });
});

describe('readCgroup on v1', () => {
  let host: CgroupHost;
  beforeEach(async () => {
    host = { mount: scratch.root, version: 1 };
    await writeCgroup(host, PATH, V1_CGROUP);
  });

  it('reads every hierarchy, and pressure from the unified one', async () => {
    const use = await readCgroup(host, PATH);
    expect(use.cpu).toEqual({ ...CPU, usageNs: 2_500_417_123n, systemNs: 1_000_116_123n });
    expect(use.memory).toEqual(MEMORY);
    expect(use.swap).toEqual({ usage: 1048576n, limit: 110100480n - 104857600n, limitWithMemory: 110100480n });
    expect(use.tasks).toEqual({ threads: 5n });
    expect(use.io?.devices).toHaveLength(1);
    expect(use.processes).toEqual([4021, 4077]);
  });

  it('has no limits where there are none', async () => {
    const unlimited = '9223372036854771712\n';
    const names = ['memory/memory.limit_in_bytes', 'memory/memory.memsw.limit_in_bytes'];
    await writeCgroup(host, PATH, Object.fromEntries(names.map((name) => [name, unlimited])));
    const { memory, swap } = await readCgroup(host, PATH);
    expect(memory).not.toHaveProperty('limit');
    expect(swap).toEqual({ usage: 1048576n });
  });

  it('does without swap accounting', async () => {
    await rm(join(host.mount, 'memory', PATH, 'memory.memsw.limit_in_bytes'));
    expect((await readCgroup(host, PATH)).swap).toEqual({ usage: 1048576n });
  });

  it('finds no use in a cgroup that is gone', async () => {
    expect(await readCgroup(host, '/gone')).toEqual({});
  });

  it('knows the path of a directory in any hierarchy', () => {
    for (const hierarchy of ['memory', 'unified', 'cpu,cpuacct'])
      expect(cgroupPathOf(host, join(host.mount, hierarchy, PATH))).toBe(PATH);
  });
});

describe('readCgroup on this host', () => {
  it('reads the cgroups that there are', async () => {
    const host: CgroupHost = { mount: '/sys/fs/cgroup', version: isCgroupV2() ? 2 : 1 };
    const own = cgroupDirsOf(process.pid)[0];
    const use = await readCgroup(host, own === undefined ? '/' : cgroupPathOf(host, own));
    expect(Object.keys(use).length).toBeGreaterThan(0);
  });
});
