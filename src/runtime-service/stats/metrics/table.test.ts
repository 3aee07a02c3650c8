import { beforeEach, describe, expect, it } from '@jest/globals';

import { useScratch } from '../../../base/testing.js';
import type { StatsContext } from '../context.js';
import { addContainer, addSandbox, openStatsFixture, type ContainerWishes } from '../testing.js';
import { measurePods, type PodMeasure } from './measure.js';
import { CONTAINER_METRICS, POD_METRICS } from './table.js';

const scratch = useScratch('metrics');
const ALL = [...CONTAINER_METRICS, ...POD_METRICS];

describe('the table of metrics', () => {
  it('has each name once, as Prometheus takes it, with a sentence of help', () => {
    const names = ALL.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    for (const { name, help } of ALL) {
      expect(name).toMatch(/^container_[a-z0-9_]+$/);
      expect(help).toMatch(/^[A-Z].*\.$/);
    }
  });

  it('calls counters what ends in _total', () => {
    const gauges = ALL.filter(({ name, type }) => name.endsWith('_total') && type === 'gauge').map(({ name }) => name);
    // cAdvisor's name for a number that goes up and down.
    expect(gauges).toEqual(['container_fs_inodes_total']);
  });

  describe('of a container', () => {
    let context: StatsContext;
    beforeEach(async () => {
      context = await openStatsFixture(scratch);
    });

    async function measure(wishes: ContainerWishes = {}): Promise<PodMeasure | undefined> {
      const sandbox = await addSandbox(context);
      await addContainer(context, sandbox.record.id, wishes);
      return (await measurePods(context))[0];
    }

    /** Values by name and own labels, as Prometheus would show them. */
    async function values(wishes: ContainerWishes = {}): Promise<Record<string, bigint>> {
      const container = (await measure(wishes))?.containers[0];
      if (container === undefined) return {};
      const pairs = CONTAINER_METRICS.flatMap((metric) =>
        metric.values(container).flatMap(({ value, labels = [] }) => {
          expect(labels).toHaveLength(metric.labelKeys.length);
          return value === undefined ? [] : [[[metric.name, ...labels].join(' '), value] as const];
        }),
      );
      expect(new Set(pairs.map(([key]) => key)).size).toBe(pairs.length);
      return Object.fromEntries(pairs);
    }

    it('are what the cgroup says', async () => {
      expect(await values()).toMatchObject({
        'container_cpu_usage_seconds_total total': 2n,
        container_cpu_user_seconds_total: 1n,
        container_cpu_system_seconds_total: 1n,
        container_cpu_cfs_periods_total: 120n,
        container_cpu_cfs_throttled_periods_total: 30n,
        container_cpu_cfs_throttled_seconds_total: 4n,
        container_memory_usage_bytes: 52428800n,
        container_memory_working_set_bytes: 20971520n,
        container_memory_rss: 10485760n,
        container_memory_cache: 40960000n,
        container_memory_mapped_file: 2097152n,
        container_memory_swap: 1048576n,
        container_memory_kernel_usage: 983040n,
        container_memory_total_active_file_bytes: 9498624n,
        container_memory_total_inactive_file_bytes: 31457280n,
        container_memory_max_usage_bytes: 73400320n,
        container_memory_failcnt: 7n,
        'container_memory_failures_total pgfault container': 15400n,
        'container_memory_failures_total pgmajfault hierarchy': 12n,
        container_oom_events_total: 1n,
        container_pressure_cpu_waiting_seconds_total: 5n,
        container_pressure_cpu_stalled_seconds_total: 0n,
        container_processes: 2n,
        container_threads: 5n,
        container_threads_max: 100n,
        container_spec_memory_limit_bytes: 104857600n,
        container_spec_memory_swap_limit_bytes: 5242880n,
        container_start_time_seconds: 1700000000n,
      });
    });

    it('tell devices and file system', async () => {
      const found = await values();
      const reads = Object.entries(found).filter(([key]) => key.startsWith('container_fs_reads_bytes_total '));
      expect(reads.map(([, value]) => value)).toEqual([1459200n, 90430464n]);
      const blkio = Object.keys(found).filter((key) => key.startsWith('container_blkio_device_usage_total '));
      expect(blkio).toHaveLength(4);
      expect(blkio[0]).toMatch(/ 8 16 Read$/);
      const [used = 0n, size = 0n] = ['usage', 'limit'].map(
        (what) => Object.entries(found).find(([key]) => key.startsWith(`container_fs_${what}_bytes `))?.[1],
      );
      expect(used).toBeGreaterThanOrEqual(10_000n);
      expect(size).toBeGreaterThan(used);
    });

    it('tell the limits that were asked for', async () => {
      const asked = await values({ resources: { cpuPeriod: 50_000, cpuQuota: 25_000, cpuShares: 512 } });
      expect(asked).toMatchObject({
        container_spec_cpu_period: 50_000n,
        container_spec_cpu_quota: 25_000n,
        container_spec_cpu_shares: 512n,
      });
    });

    it('leave out what is not known', async () => {
      const created = await values({ state: 'created' });
      expect(created).toMatchObject({ container_spec_cpu_period: 100_000n });
      for (const name of ['container_spec_cpu_quota', 'container_spec_cpu_shares', 'container_start_time_seconds'])
        expect(created).not.toHaveProperty(name);
    });

    it('are of living containers in pods that are ready', async () => {
      expect((await measure({ state: 'exited' }))?.containers).toEqual([]);
      const { record } = await addSandbox(context);
      await context.sandboxes.update(record.id, () => ({ state: 'not-ready', released: true }));
      expect(await measurePods(context)).toHaveLength(1);
    });
  });
});
