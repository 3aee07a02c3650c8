import { existsSync } from 'node:fs';
import { rmdir } from 'node:fs/promises';
import { basename, join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { sleep } from '../src/base/abort.js';
import { runOk } from '../src/base/spawn.js';
import { callCri } from './harness/cri.js';
import { openHouse, type House } from './harness/house.js';
import { ownCgroups } from './harness/leaks/cgroups.js';
import { BUSYBOX, runContainer, runPod, writeContainer, writePod, type PodFile } from './harness/pods.js';
import { patience, SETTINGS } from './harness/settings.js';
import { waitFor } from './harness/wait.js';

const MIB = 1024 * 1024;

/** A 64-bit number as crictl prints it. */
interface Count {
  readonly value: string;
}

/** CRI ContainerStats in JSON, as far as it is looked at. */
interface ContainerStats {
  readonly attributes: { readonly id: string; readonly labels: object };
  readonly cpu?: { readonly timestamp: string; readonly usageCoreNanoSeconds: Count; readonly usageNanoCores?: Count };
  readonly memory?: {
    readonly workingSetBytes: Count;
    readonly availableBytes?: Count;
    readonly usageBytes: Count;
    readonly rssBytes: Count;
    readonly pageFaults: Count;
  };
  readonly writableLayer?: {
    readonly fsId: { readonly mountpoint: string };
    readonly usedBytes: Count;
    readonly inodesUsed: Count;
  };
}

interface PodStats {
  readonly attributes: { readonly id: string };
  readonly linux: {
    readonly cpu: { readonly usageCoreNanoSeconds: Count };
    readonly memory: { readonly workingSetBytes: Count };
    readonly network?: { readonly defaultInterface: { readonly name: string; readonly rxBytes: Count } };
    readonly process: { readonly processCount: Count };
    readonly containers: readonly ContainerStats[];
  };
}

interface Metric {
  readonly name: string;
  readonly metricType: string;
  readonly labelValues: readonly string[];
  readonly value: Count;
}

interface PodMetrics {
  readonly podSandboxId: string;
  readonly metrics: readonly Metric[];
  readonly containerMetrics: readonly { readonly containerId: string; readonly metrics: readonly Metric[] }[];
}

describe('stats', () => {
  let house: House;
  let pod: PodFile;
  let podId: string;
  /** Computes all the time, with a limit of a fifth of a processor. */
  let busy: string;
  /** Holds 16 MiB of memory and as much on disk, and sleeps. */
  let idle: string;
  beforeAll(async () => {
    house = await openHouse();
    await house.crictl.ok('pull', BUSYBOX);
    pod = await writePod(house);
    podId = await runPod(house, pod);
    const limits = { resources: { cpu_quota: 20_000, cpu_period: 100_000, memory_limit_in_bytes: 64 * MIB } };
    busy = await running('while :; do :; done', { linux: limits, labels: { load: 'high' } });
    const hold =
      'x=$(head -c 16777216 /dev/zero | tr "\\0" x); head -c 16777216 /dev/zero > /file; mkdir /d; touch /d/a';
    idle = await running(
      `${hold}; sync; echo ready > /ready; trap "exit 0" TERM; while :; do sleep 3600 & wait; done`,
      {
        labels: { load: 'none' },
      },
    );
    await waitFor('content', patience(20_000), () => house.crictl.ok('exec', '-s', idle, 'cat', '/ready'));
  });
  afterAll(() => house.close());

  async function running(script: string, fields: object = {}): Promise<string> {
    const container = await writeContainer(house, { command: ['sh', '-c', script], ...fields });
    return runContainer(house, podId, { pod, container });
  }

  async function stats(...args: string[]): Promise<readonly ContainerStats[]> {
    return ((await house.crictl.json('stats', ...args)) as { stats: ContainerStats[] }).stats;
  }

  async function statsOf(id: string): Promise<ContainerStats | undefined> {
    return (await stats('--id', id))[0];
  }

  async function podStatsOf(id: string): Promise<PodStats | undefined> {
    return ((await house.crictl.json('statsp', '--id', id)) as { stats: PodStats[] }).stats[0];
  }

  async function idsOf(...args: string[]): Promise<string[]> {
    return (await stats(...args)).map(({ attributes }) => attributes.id).sort();
  }

  it('of containers are filtered by id, pod and labels', async () => {
    expect(await idsOf()).toEqual([busy, idle].sort());
    expect(await idsOf('--id', busy.slice(0, 13))).toEqual([busy]);
    expect(await idsOf('--pod', podId.slice(0, 13))).toEqual([busy, idle].sort());
    expect(await idsOf('--label', 'load=none')).toEqual([idle]);
    expect(await idsOf('--label', 'load=some')).toEqual([]);
  });

  it('tell memory and disk', async () => {
    const { memory, writableLayer } = (await statsOf(idle)) ?? {};
    expect(Number(memory?.rssBytes.value)).toBeGreaterThan(16 * MIB);
    expect(Number(memory?.workingSetBytes.value)).toBeGreaterThan(16 * MIB);
    expect(Number(memory?.usageBytes.value)).toBeGreaterThanOrEqual(Number(memory?.workingSetBytes.value));
    expect(Number(memory?.pageFaults.value)).toBeGreaterThan(100);
    expect(memory).not.toHaveProperty('availableBytes');
    expect(Number(writableLayer?.usedBytes.value)).toBeGreaterThanOrEqual(16 * MIB);
    expect(Number(writableLayer?.inodesUsed.value)).toBeGreaterThanOrEqual(5);
    expect(writableLayer?.fsId.mountpoint.startsWith(house.scratch.root)).toBe(true);
  });

  /** The names of the fields that are told, without messages that are null. */
  const told = (message: object | null | undefined): string[] =>
    Object.entries(message ?? {})
      .filter(([, value]) => value !== null && value !== undefined)
      .map(([name]) => name)
      .sort();

  it('have every field that this kernel can fill', async () => {
    const pressure = existsSync('/proc/pressure/cpu');
    const withPsi = (...names: string[]): string[] => [...names, ...(pressure ? ['psi'] : [])].sort();
    await statsOf(busy);
    await sleep(patience(1_100));
    const { stats: one } = await callCri(house, 'ContainerStats', { containerId: busy });
    expect(told(one)).toEqual(
      ['attributes', 'cpu', 'memory', 'swap', 'writableLayer', ...(pressure ? ['io'] : [])].sort(),
    );
    expect(told(one?.attributes)).toEqual(['annotations', 'id', 'labels', 'metadata']);
    expect(told(one?.cpu)).toEqual(withPsi('timestamp', 'usageCoreNanoSeconds', 'usageNanoCores'));
    const memory = ['availableBytes', 'majorPageFaults', 'pageFaults', 'rssBytes', 'timestamp', 'usageBytes'];
    expect(told(one?.memory)).toEqual(withPsi(...memory, 'workingSetBytes'));
    expect(told(one?.swap)).toEqual(['swapAvailableBytes', 'swapUsageBytes', 'timestamp']);
    expect(told(one?.writableLayer)).toEqual(['fsId', 'inodesUsed', 'timestamp', 'usedBytes']);
    if (pressure) {
      // An average of zero, as on an idle machine, is not sent.
      const some = told(one?.cpu?.psi?.Some);
      expect(some).toContain('Total');
      expect(['Avg10', 'Avg300', 'Avg60', 'Total']).toEqual(expect.arrayContaining(some));
    }

    const { stats: pod } = await callCri(house, 'PodSandboxStats', { podSandboxId: podId });
    // Pressure is not to be summed, so only a pod with a cgroup of its own has that.
    expect(told(pod?.linux)).toEqual(['containers', 'cpu', 'memory', 'network', 'process']);
    expect(told(pod?.linux?.network)).toEqual(['defaultInterface', 'interfaces', 'timestamp']);
    const counters = ['name', 'rxBytes', 'rxErrors', 'txBytes', 'txErrors'];
    expect(told(pod?.linux?.network?.defaultInterface)).toEqual(counters);
  });

  it('tell what is left of a limit', async () => {
    const { memory } = (await statsOf(busy)) ?? {};
    expect(Number(memory?.availableBytes?.value)).toBe(64 * MIB - Number(memory?.workingSetBytes.value));
  });

  it('tell the time that is used, and its rate', async () => {
    const before = (await statsOf(busy))?.cpu;
    await sleep(patience(1_500));
    const after = (await statsOf(busy))?.cpu;
    const used = Number(after?.usageCoreNanoSeconds.value) - Number(before?.usageCoreNanoSeconds.value);
    const elapsed = Number(after?.timestamp) - Number(before?.timestamp);
    // The quota is a fifth; a loaded machine may give less.
    expect(used / elapsed).toBeGreaterThan(0.02);
    expect(used / elapsed).toBeLessThan(0.3);
    expect(Number(after?.usageNanoCores?.value) / 1e9).toBeCloseTo(used / elapsed, 1);
  });

  it('move with what the container does', async () => {
    const size = async (): Promise<number> => Number((await statsOf(busy))?.writableLayer?.usedBytes.value);
    const before = await size();
    await house.crictl.ok('exec', '-s', busy, 'sh', '-c', 'head -c 8388608 /dev/zero > /grown; sync');
    // A layer is measured every ten seconds at most.
    const grown = async (): Promise<true | undefined> => ((await size()) >= before + 8 * MIB ? true : undefined);
    expect(await waitFor('growth', patience(25_000), grown)).toBe(true);
  });

  it('are shown as a table', async () => {
    expect(await house.crictl.ok('stats')).toMatch(new RegExp(`${busy.slice(0, 13)} .*\\d+\\.\\d\\d .*MB|kB`));
    expect(await house.crictl.ok('statsp')).toContain(podId.slice(0, 13));
  });

  it('of a pod are those of its containers together, its processes and its network', async () => {
    const { linux } = (await podStatsOf(podId)) ?? {};
    const sum = (linux?.containers ?? []).reduce((all, { memory }) => all + Number(memory?.workingSetBytes.value), 0);
    expect(linux?.containers.map(({ attributes }) => attributes.id).sort()).toEqual([busy, idle].sort());
    expect(Number(linux?.memory.workingSetBytes.value)).toBeGreaterThanOrEqual(sum * 0.9);
    expect(Number(linux?.memory.workingSetBytes.value)).toBeLessThan(sum + 16 * MIB);
    // Both shells, the sleep and the pause.
    expect(Number(linux?.process.processCount.value)).toBe(4);
    expect(linux?.network?.defaultInterface.name).toBe('eth0');
  });

  it('count the traffic of a pod', async () => {
    const received = async (): Promise<number> =>
      Number((await podStatsOf(podId))?.linux.network?.defaultInterface.rxBytes.value);
    const before = await received();
    await house.crictl.ok('exec', '-s', idle, 'ping', '-c', '2', '-s', '5000', `${house.scratch.subnet}.1`);
    expect(await received()).toBeGreaterThan(before + 10_000);
  });

  it('of a pod with a cgroup of its own are those of the cgroup', async () => {
    const cgroup = ownParent('own');
    const own = await writePod(house, { linux: { cgroup_parent: cgroup } });
    const id = await runPod(house, own);
    const files = { pod: own, container: await writeContainer(house, { command: ['sh', '-c', 'exit 0'] }) };
    await runContainer(house, id, files);
    const linux = await waitFor('reading', patience(10_000), async () => (await podStatsOf(id))?.linux);
    // The container has ended, the pause has not; their time stays with the cgroup.
    const pressure = existsSync('/proc/pressure/cpu');
    expect(told(linux)).toEqual(expect.arrayContaining(['cpu', 'memory', 'process', ...(pressure ? ['io'] : [])]));
    expect(Number(linux.cpu.usageCoreNanoSeconds.value)).toBeGreaterThan(0);
    expect(Number(linux.memory.workingSetBytes.value)).toBeGreaterThan(0);
    await house.crictl.ok('rmp', '-f', id);
    await removeParent(cgroup);
  });

  it('are empty, but for the disk, when a container has ended', async () => {
    const id = await running('head -c 1048576 /dev/zero > /file; sync');
    const ended = await waitFor('end', patience(10_000), async () => {
      const found = await statsOf(id);
      return found?.cpu === undefined && found?.writableLayer !== undefined ? found : undefined;
    });
    expect(Object.keys(ended).sort()).toEqual(['attributes', 'writableLayer']);
    expect(await house.crictl.ok('stats')).not.toContain(id.slice(0, 13));
    expect(await house.crictl.ok('stats', '-a')).toContain(id.slice(0, 13));
    await house.crictl.ok('rm', id);
    expect(await idsOf()).not.toContain(id);
  });

  it('are metrics, with the labels that are told of', async () => {
    const { descriptors } = JSON.parse(await house.crictl.ok('metricdescs')) as {
      descriptors: { name: string; help: string; labelKeys: string[] }[];
    };
    const keysOf = new Map(descriptors.map(({ name, labelKeys }) => [name, labelKeys]));
    const { podMetrics } = JSON.parse(await house.crictl.ok('metricsp')) as { podMetrics: PodMetrics[] };
    const found = podMetrics.find(({ podSandboxId }) => podSandboxId === podId);
    expect(found?.containerMetrics.map(({ containerId }) => containerId).sort()).toEqual([busy, idle].sort());
    const all = [...(found?.metrics ?? []), ...(found?.containerMetrics ?? []).flatMap(({ metrics }) => metrics)];
    expect(all.filter(({ name, labelValues }) => keysOf.get(name)?.length !== labelValues.length)).toEqual([]);
    const series = all.map(({ name, labelValues }) => [name, ...labelValues].join(' '));
    expect(new Set(series).size).toBe(series.length);
    const ofBusy = found?.containerMetrics.find(({ containerId }) => containerId === busy)?.metrics ?? [];
    const value = (name: string): number => Number(ofBusy.find((metric) => metric.name === name)?.value.value);
    expect(value('container_cpu_cfs_throttled_periods_total')).toBeGreaterThan(0);
    expect(value('container_spec_memory_limit_bytes')).toBe(64 * MIB);
    expect(value('container_processes')).toBe(1);
    expect(Math.abs(value('container_last_seen') - Date.now() / 1000)).toBeLessThan(60);
    expect(found?.metrics.map(({ name }) => name)).toContain('container_network_receive_bytes_total');
  });

  it('go on after a restart of the daemon', async () => {
    const before = (await statsOf(busy))?.cpu?.usageCoreNanoSeconds.value;
    await house.daemon.stop();
    await house.daemon.start();
    const after = (await statsOf(busy))?.cpu;
    expect(Number(after?.usageCoreNanoSeconds.value)).toBeGreaterThan(Number(before));
    expect(after).not.toHaveProperty('usageNanoCores');
  });

  it('leave the pod CIDR to others', async () => {
    await house.crictl.ok('update-runtime-config', '--pod-cidr', '10.255.0.0/24');
    expect(await house.daemon.log()).toContain('"podCidr":"10.255.0.0/24"');
  });

  it('are none of a pod that has stopped, and leave nothing behind', async () => {
    await house.crictl.ok('stopp', podId);
    expect(await podStatsOf(podId)).toBeUndefined();
    await house.crictl.ok('rmp', podId);
    expect(await stats()).toEqual([]);
    await house.assertEmpty();
  });

  /** A parent below the suite's, as kubelet would name it. */
  function ownParent(name: string): string {
    const { pods } = house.scratch;
    const base = pods.slice(pods.lastIndexOf('/') + 1);
    return join(pods, SETTINGS.cgroupDriver === 'systemd' ? base.replace('.slice', `-${name}.slice`) : name);
  }

  /** What kubelet does after its pod; systemd keeps a slice, even an empty one, until it is stopped. */
  async function removeParent(cgroup: string): Promise<void> {
    if (SETTINGS.cgroupDriver === 'systemd') {
      await runOk('systemctl', ['stop', basename(cgroup)], { timeoutMs: patience(10_000) });
      return;
    }
    for (const own of await ownCgroups(house.scratch)) {
      const mount = own.slice(0, -house.scratch.cgroup.length);
      await rmdir(join(mount, cgroup)).catch(() => undefined);
    }
  }
});
