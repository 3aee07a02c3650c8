import { beforeEach, describe, expect, it } from '@jest/globals';

import { runtime } from '../../../api/cri/generated/api.cjs';
import { useScratch } from '../../base/testing.js';
import { containerUse, type ContainerUse } from '../stats/container-use.js';
import type { StatsContext } from '../stats/context.js';
import { addContainer, openStatsFixture } from '../stats/testing.js';
import { fromContainerUse, toUint64 } from './container-stats.js';
import { plain } from './testing.js';

const scratch = useScratch('container-stats');

describe('toUint64', () => {
  it('holds the largest counters, and is null for none', () => {
    expect(toUint64(2n ** 64n - 1n)?.value?.toString()).toBe('18446744073709551615');
    expect(toUint64(7)?.value?.toNumber()).toBe(7);
    expect(toUint64(undefined)).toBeNull();
  });
});

describe('fromContainerUse', () => {
  let context: StatsContext;
  beforeEach(async () => {
    context = await openStatsFixture(scratch);
  });

  /** As a client sees it. */
  function seen(use: ContainerUse): Record<string, unknown> {
    const { ContainerStats } = runtime.v1;
    const message = ContainerStats.decode(ContainerStats.encode(fromContainerUse(use, '/var/lib/x')).finish());
    return plain(message) as Record<string, unknown>;
  }

  it('gives every field of a running container', async () => {
    const use = await containerUse(context, await addContainer(context, 'pod', { labels: { app: 'web' } }));
    const sampled = { ...use, ...(use.cgroup && { cgroup: { ...use.cgroup, nanoCores: 250_000_000n } }) };
    const at = use.cgroup?.timestamp;
    const psi = {
      Some: { Total: '5200300000', Avg10: 12.5, Avg60: 3.25, Avg300: 0.75 },
      Full: { Total: '900200000', Avg10: 1.5, Avg60: 0.5, Avg300: 0.1 },
    };
    expect(seen(sampled)).toMatchObject({
      attributes: {
        id: use.container.record.id,
        metadata: use.container.record.config.metadata,
        labels: { app: 'web' },
        annotations: { note: 'container' },
      },
      cpu: {
        timestamp: at,
        usageCoreNanoSeconds: { value: '2500417000' },
        usageNanoCores: { value: '250000000' },
        psi,
      },
      memory: {
        timestamp: at,
        workingSetBytes: { value: '20971520' },
        availableBytes: { value: '83886080' },
        usageBytes: { value: '52428800' },
        rssBytes: { value: '10485760' },
        pageFaults: { value: '15400' },
        majorPageFaults: { value: '12' },
        psi: { Some: { Total: '150000' }, Full: { Total: '140000' } },
      },
      writableLayer: {
        timestamp: use.layer?.timestamp,
        fsId: { mountpoint: '/var/lib/x' },
        inodesUsed: { value: '2' },
      },
      swap: { timestamp: at, swapAvailableBytes: { value: '4194304' }, swapUsageBytes: { value: '1048576' } },
      io: { timestamp: at, psi: { Some: { Total: '789000', Avg60: 0.34 } } },
    });
  });

  it('gives an ended container its files alone', async () => {
    const use = await containerUse(context, await addContainer(context, 'pod', { state: 'exited' }));
    expect(Object.keys(seen(use)).sort()).toEqual(['attributes', 'writableLayer']);
  });

  it('leaves out what is not known', async () => {
    const { container } = await containerUse(context, await addContainer(context, 'pod'));
    const swap = { usage: 0n };
    const memory = { usage: 1n, workingSet: 1n, rss: 1n, cache: 0n, mappedFile: 0n };
    const faults = { pageFaults: 0n, majorPageFaults: 0n, limitHits: 0n, oomKills: 0n };
    const io = { devices: [] };
    const bare = seen({ container, cgroup: { timestamp: '5', swap, io, memory: { ...memory, ...faults } } });
    expect(Object.keys(bare).sort()).toEqual(['attributes', 'memory', 'swap']);
    expect(bare['memory']).not.toHaveProperty('availableBytes');
    expect(bare['memory']).not.toHaveProperty('psi');
    expect(bare['swap']).not.toHaveProperty('swapAvailableBytes');
  });
});
