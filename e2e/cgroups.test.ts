import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import Long from 'long';

import type { runtime } from '../api/cri/generated/api.cjs';
import { cgroupDirsOf, hierarchies, isCgroupV2 } from '../src/oci/cgroup.js';
import { statusOf } from '../src/server/testing.js';
import { hasController, readCgroupFile, type CgroupFile } from './harness/cgroup-file.js';
import { callCri } from './harness/cri.js';
import { openHouse, type House } from './harness/house.js';
import {
  BUSYBOX,
  inspect,
  runContainer,
  runPod,
  writeContainer,
  writePod,
  type ContainerView,
  type PodFile,
} from './harness/pods.js';
import { SETTINGS } from './harness/settings.js';
import { waitFor } from './harness/wait.js';

const MIB = 1024 * 1024;
const SYSTEMD = SETTINGS.cgroupDriver === 'systemd';

const V2 = isCgroupV2();

const MEMORY: CgroupFile = { v1: ['memory', 'memory.limit_in_bytes'], v2: 'memory.max' };
const SWAP: CgroupFile = { v1: ['memory', 'memory.memsw.limit_in_bytes'], v2: 'memory.swap.max' };
const PIDS: CgroupFile = { v1: ['pids', 'pids.max'], v2: 'pids.max' };
const SHARES: CgroupFile = { v1: ['cpu', 'cpu.shares'], v2: 'cpu.weight' };
const CPU_MAX: CgroupFile = { v1: ['', ''], v2: 'cpu.max' };
const QUOTA: CgroupFile = { v1: ['cpu', 'cpu.cfs_quota_us'], v2: 'cpu.max' };
const PERIOD: CgroupFile = { v1: ['cpu', 'cpu.cfs_period_us'], v2: 'cpu.max' };
const CPUS: CgroupFile = { v1: ['cpuset', 'cpuset.cpus'], v2: 'cpuset.cpus' };
const MEMS: CgroupFile = { v1: ['cpuset', 'cpuset.mems'], v2: 'cpuset.mems' };
const HUGE: CgroupFile = { v1: ['hugetlb', 'hugetlb.2MB.limit_in_bytes'], v2: 'hugetlb.2MB.max' };
const PAGES = { hugepageLimits: [{ pageSize: '2MB', limit: Long.fromNumber(4 * MIB, true) }] };

interface Limits {
  readonly shares: number;
  readonly quota: number;
  readonly period: number;
  readonly cpus: string;
  readonly mems: string;
  readonly memory: number;
  readonly memoryAndSwap: number;
  readonly oomScoreAdj: number;
}

/** Shares as v1 has them, or the weight that they are on v2 (KEP-2254). */
function weight(shares: number): number {
  return V2 ? 1 + ((shares - 2) * 9999) / 262_142 : shares;
}

describe('cgroups', () => {
  let house: House;
  let pod: PodFile;
  let podId: string;
  beforeAll(async () => {
    house = await openHouse();
    await house.crictl.ok('pull', BUSYBOX);
    pod = await writePod(house);
    podId = await runPod(house, pod);
  });
  afterAll(() => house.close());

  async function running(fields?: object): Promise<{ id: string; pid: number }> {
    const id = await runContainer(house, podId, { pod, container: await writeContainer(house, fields) });
    return { id, pid: (await inspect(house, id)).info.pid ?? 0 };
  }

  function ended(id: string): Promise<ContainerView> {
    return waitFor('end of the container', 20_000, async () => {
      const view = await inspect(house, id);
      return view.status.state === 'CONTAINER_EXITED' ? view : undefined;
    });
  }

  function cgroupOf(id: string): string {
    return join(house.scratch.pods, SYSTEMD ? `gantry-${id}.scope` : id);
  }

  it('are made by the runtime and the driver that are configured', async () => {
    const { id, pid } = await running();
    const { info } = (await house.crictl.json('inspectp', podId)) as { info: { pid: number } };
    for (const [process, of] of [[pid, id] as const, [info.pid, podId] as const]) {
      const dirs = cgroupDirsOf(process);
      expect(dirs).not.toEqual([]);
      // crun puts them one deeper in systemd's scope.
      expect(dirs.filter((dir) => !`${dir}/`.includes(`${cgroupOf(of)}/`))).toEqual([]);
      expect(existsSync(join(house.scratch.state, 'runtime', SETTINGS.runtime, of))).toBe(true);
    }
    await house.crictl.ok('rm', '-f', id);
  });

  it('hold executed commands, too', async () => {
    const { id, pid } = await running();
    const executed = house.crictl.run('exec', '-s', id, 'sleep', '3.25');
    const places = await waitFor('executed command', 10_000, async () => {
      const found = (await processes()).find(({ words }) => words.join(' ') === 'sleep 3.25');
      return found === undefined ? undefined : cgroupDirsOf(found.pid);
    });
    // In one hierarchy of v1, and on v2, a command has a cgroup of its own below.
    const containing = cgroupDirsOf(pid).map((dir, index) => [dir, `${places[index] ?? ''}/`] as const);
    expect(containing.filter(([dir, place]) => !place.startsWith(`${dir}/`))).toEqual([]);
    expect(places).toHaveLength(containing.length);
    expect((await executed).code).toBe(0);
    await house.crictl.ok('rm', '-f', id);
  });

  it('keep monitors apart from daemon and pods', async () => {
    const { id } = await running();
    const monitors = (await processes()).filter(({ words }) => words[0]?.endsWith('conmon') && words.includes(id));
    expect(monitors).toHaveLength(1);
    const { monitors: place } = house.scratch;
    const expected = SYSTEMD ? join(place, basename(place).replace(/slice$/, 'scope')) : place;
    for (const { pid } of monitors) expect(cgroupDirsOf(pid).filter((dir) => !dir.endsWith(expected))).toEqual([]);
    await house.crictl.ok('rm', '-f', id);
  });

  /** What the kernel has for the container's init, as far as this node has controllers for it. */
  async function limitsOf(pid: number): Promise<Limits> {
    const [quota = '', period] = V2 ? (await readCgroupFile(pid, CPU_MAX)).split(' ') : [];
    const memory = Number(await readCgroupFile(pid, MEMORY));
    const swap = Number(await readCgroupFile(pid, SWAP));
    return {
      shares: Number(await readCgroupFile(pid, SHARES)),
      quota: Number(V2 ? quota : await readCgroupFile(pid, QUOTA)),
      period: Number(V2 ? period : await readCgroupFile(pid, PERIOD)),
      cpus: hasController('cpuset') ? await readCgroupFile(pid, CPUS) : '',
      mems: hasController('cpuset') ? await readCgroupFile(pid, MEMS) : '',
      memory,
      // v2 limits swap alone, v1 both together, as CRI does.
      memoryAndSwap: V2 ? memory + swap : swap,
      oomScoreAdj: Number(await readFile(`/proc/${pid}/oom_score_adj`, 'utf8')),
    };
  }

  it('have the limits of the container, and each can be changed while it runs', async () => {
    const resources = {
      ...{ cpu_shares: 512, cpu_quota: 20_000, cpu_period: 50_000, oom_score_adj: 500 },
      ...{ memory_limit_in_bytes: 64 * MIB, memory_swap_limit_in_bytes: 96 * MIB },
      ...(hasController('cpuset') ? { cpuset_cpus: '0', cpuset_mems: '0' } : {}),
    };
    const { id, pid } = await running({ linux: { resources } });
    const expected: Limits = {
      ...{ shares: weight(512), quota: 20_000, period: 50_000, memory: 64 * MIB, memoryAndSwap: 96 * MIB },
      ...(hasController('cpuset') ? { cpus: '0', mems: '0' } : { cpus: '', mems: '' }),
      oomScoreAdj: 500,
    };
    const check = async (): Promise<void> => {
      const { shares, ...others } = await limitsOf(pid);
      const { shares: about, ...exact } = expected;
      expect(others).toEqual(exact);
      // Runtimes differ in how they make a weight of it.
      expect(shares).toBeGreaterThan(about * 0.5);
      expect(shares).toBeLessThan(about * (V2 ? 6 : 1.01));
    };
    await check();
    const changes: (readonly [runtime.v1.ILinuxContainerResources, Partial<Limits>])[] = [
      [{ cpuShares: Long.fromNumber(2048) }, { shares: weight(2048) }],
      [{ cpuQuota: Long.fromNumber(30_000) }, { quota: 30_000 }],
      [{ cpuPeriod: Long.fromNumber(100_000) }, { period: 100_000 }],
      [{ memorySwapLimitInBytes: Long.fromNumber(128 * MIB) }, { memoryAndSwap: 128 * MIB }],
      [{ memoryLimitInBytes: Long.fromNumber(80 * MIB) }, { memory: 80 * MIB }],
      [{ oomScoreAdj: Long.fromNumber(700) }, { oomScoreAdj: 700 }],
      ...(hasController('cpuset') ? ([[{ cpusetCpus: '0-1' }, { cpus: '0-1' }]] as const) : []),
    ];
    for (const [linux, change] of changes) {
      await callCri(house, 'UpdateContainerResources', { containerId: id, linux });
      Object.assign(expected, change);
      await check();
    }
    const { status } = (await house.crictl.json('inspect', id)) as { status: { resources: object } };
    expect(status.resources).toMatchObject({
      linux: { cpuShares: '2048', cpuQuota: '30000', memoryLimitInBytes: String(80 * MIB), oomScoreAdj: '700' },
    });
    const other = statusOf(callCri(house, 'UpdateContainerResources', { containerId: id, linux: PAGES }));
    expect((await other).details).toContain('linux.hugepage_limits of 2MB cannot be changed');
    await house.crictl.ok('rm', '-f', id);
  });

  it('let a container with a limit of memory have no swap, and any number of processes', async () => {
    const resources = { memory_limit_in_bytes: 64 * MIB, hugepage_limits: [{ page_size: '2MB', limit: 0 }] };
    const { id, pid } = await running({ linux: { resources } });
    expect(await limitsOf(pid)).toMatchObject({ memory: 64 * MIB, memoryAndSwap: 64 * MIB });
    expect(await readCgroupFile(pid, PIDS)).toBe(SYSTEMD ? '4194304' : 'max');
    if (hasController('hugetlb')) expect(await readCgroupFile(pid, HUGE)).toBe('0');
    await house.crictl.ok('rm', '-f', id);
  });

  it('that this node cannot have are refused', async () => {
    const create = async (resources: object): Promise<string> => {
      const container = await writeContainer(house, { linux: { resources } });
      const { code, stderr } = await house.crictl.run('create', podId, container, pod.path);
      if (code === 0) await house.crictl.ok('rm', '-a');
      return code === 0 ? 'made' : stderr;
    };
    const pages = await create({ hugepage_limits: [{ page_size: '2MB', limit: 4 * MIB }] });
    expect(pages).toContain(hasController('hugetlb') ? 'made' : 'hugepage_limits of 2MB: this node has no hugetlb');
    const unified = await create({ unified: { 'memory.high': String(64 * MIB) } });
    expect(unified).toContain(V2 ? 'made' : 'unified is of cgroup v2, and this node has v1');
    expect(await create({ unified: { '../memory.high': '1' } })).toContain('code = InvalidArgument');
    // Whether or not there is a controller for it: what a runtime leaves of its cgroup must go.
    expect(await create({ cpuset_cpus: '100000' })).toMatch(/code = |made/);
  });

  const onV2 = V2 ? it : it.skip;
  onV2('have files of cgroup v2 as they are given (skipped on v1, which has none)', async () => {
    const unified = { 'pids.max': '77', 'memory.high': String(48 * MIB), 'memory.oom.group': '1' };
    const { id, pid } = await running({ linux: { resources: { unified } } });
    for (const [name, value] of Object.entries(unified))
      expect(await readCgroupFile(pid, { v1: ['', ''], v2: name })).toBe(value);
    const linux = { unified: { 'memory.high': String(40 * MIB) } };
    await callCri(house, 'UpdateContainerResources', { containerId: id, linux });
    expect(await readCgroupFile(pid, { v1: ['', ''], v2: 'memory.high' })).toBe(String(40 * MIB));
    expect(await readCgroupFile(pid, PIDS)).toBe('77');
    await house.crictl.ok('rm', '-f', id);
  });

  const byPath = SYSTEMD ? it.skip : it;
  byPath('lie in the pod’s, whose limits hold (skipped with systemd, whose slices get theirs over D-Bus)', async () => {
    const mount = hierarchies().find((dir) => V2 || dir.endsWith('/pids')) ?? '';
    const parent = join(house.scratch.pods, 'limited');
    const dir = join(mount, parent);
    await mkdir(dir, { recursive: true });
    // Enough for the threads of a runtime that starts.
    await writeFile(join(dir, 'pids.max'), '30');
    const own = await writePod(house, { linux: { cgroup_parent: parent } });
    const id = await runPod(house, own);
    const command = ['sh', '-c', 'for i in $(seq 50); do sleep 3600 & done; wait'];
    const container = await runContainer(house, id, { pod: own, container: await writeContainer(house, { command }) });
    await waitFor('word of the limit', 10_000, async () => {
      const { stderr } = await house.crictl.run('logs', container);
      return stderr.includes("can't fork") ? true : undefined;
    });
    await house.crictl.ok('rmp', '-f', id);
    for (const hierarchy of hierarchies()) await rmdir(join(hierarchy, parent)).catch(() => undefined);
  });

  it('end a container that is out of memory, and the status says so', async () => {
    const resources = { memory_limit_in_bytes: 32 * MIB };
    const { id } = await running({ command: ['tail', '/dev/zero'], linux: { resources } });
    expect((await ended(id)).status).toMatchObject({ exitCode: 137, reason: 'OOMKilled' });
    await house.crictl.ok('rm', id);
  });

  /** A child takes all memory; init lives on, as far as the kernel lets it. */
  const GREEDY = { command: ['sh', '-c', 'tail /dev/zero; echo "init lives"; exit 3'] };

  it('that end a process of a container, but not its init, are not told as OOMKilled', async () => {
    const { id } = await running({ ...GREEDY, linux: { resources: { memory_limit_in_bytes: 32 * MIB } } });
    const { status } = await ended(id);
    expect(status).toMatchObject({ exitCode: 3, reason: 'Error' });
    expect(await house.crictl.ok('logs', id)).toContain('init lives');
    await house.crictl.ok('rm', id);
  });

  onV2('end whole for want of memory where kubelet wants it so (skipped on v1, which cannot)', async () => {
    const resources = { memory_limit_in_bytes: 32 * MIB, unified: { 'memory.oom.group': '1' } };
    const { id } = await running({ ...GREEDY, linux: { resources } });
    expect((await ended(id)).status).toMatchObject({ exitCode: 137, reason: 'OOMKilled' });
    await house.crictl.ok('rm', id);
  });

  it('end whole where a container has no processes of its own', async () => {
    const namespace_options = { pid: 2 };
    const fields = { linux: { security_context: { namespace_options } } };
    const own = await writePod(house, fields);
    const id = await runPod(house, own);
    const command = ['sh', '-c', 'setsid sleep 3600 & exec sleep 3600'];
    const container = await runContainer(house, id, {
      pod: own,
      container: await writeContainer(house, { ...fields, command }),
    });
    const { info } = await inspect(house, container);
    const [dir = ''] = cgroupDirsOf(info.pid ?? 0);
    const members = await waitFor('second process', 10_000, async () => {
      const pids = (await readFile(join(dir, 'cgroup.procs'), 'utf8')).split('\n').filter(Boolean);
      return pids.length === 2 ? pids : undefined;
    });
    await house.crictl.ok('stop', '--timeout', '1', container);
    await waitFor('end of both', 5_000, () => Promise.resolve(members.every(isGone) ? true : undefined));
    await house.crictl.ok('rmp', '-f', id);
  });

  it('leave nothing behind', async () => {
    await house.crictl.ok('rmp', '-f', podId);
    await house.assertEmpty();
  });
});

function isGone(pid: string): boolean {
  return !existsSync(`/proc/${pid}`);
}

async function processes(): Promise<{ pid: number; words: readonly string[] }[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found = pids.map(async (pid) => {
    const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    return { pid: Number(pid), words: line.split('\0').slice(0, -1) };
  });
  return Promise.all(found);
}
