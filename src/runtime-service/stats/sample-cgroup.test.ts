import { beforeEach, describe, expect, it } from '@jest/globals';

import { sleep } from '../../base/abort.js';
import { useScratch } from '../../base/testing.js';
import { V2_CGROUP, writeCgroup } from './cgroup-fixture.js';
import type { CgroupHost } from './read-cgroup.js';
import { CgroupSampler } from './sample-cgroup.js';

const PATH = '/pod/abc';
const scratch = useScratch('sample');

describe('CgroupSampler', () => {
  let host: CgroupHost;
  let sampler: CgroupSampler;
  beforeEach(async () => {
    host = { mount: scratch.root, version: 2 };
    await writeCgroup(host, PATH, V2_CGROUP);
    sampler = new CgroupSampler(host);
  });

  function setUsage(microseconds: number): Promise<void> {
    return writeCgroup(host, PATH, { 'cpu.stat': `usage_usec ${microseconds}\n` });
  }

  it('tells no rate the first time', async () => {
    const sample = await sampler.sample(PATH);
    expect(sample.cpu?.usageNs).toBe(2_500_417_000n);
    expect(sample).not.toHaveProperty('nanoCores');
    expect(Math.abs(Number(sample.timestamp) / 1e6 - Date.now())).toBeLessThan(10_000);
  });

  it('reads once for callers at once, and again later', async () => {
    const [first, second] = await Promise.all([sampler.sample(PATH), sampler.sample(PATH)]);
    expect(second).toBe(first);
    await sleep(120);
    const third = await sampler.sample(PATH);
    expect(BigInt(third.timestamp) - BigInt(first.timestamp)).toBeGreaterThan(100_000_000n);
  });

  it('tells the rate since the reading before', async () => {
    await setUsage(1_000_000);
    const first = await sampler.sample(PATH);
    await sleep(250);
    await setUsage(1_500_000);
    const second = await sampler.sample(PATH);
    const elapsed = Number(BigInt(second.timestamp) - BigInt(first.timestamp)) / 1e9;
    // Half a second of CPU time in the time between; the readings' own time is measured apart from the timestamps.
    expect(Number(second.nanoCores) / 1e9).toBeCloseTo(0.5 / elapsed, 1);
  });

  it('tells 0 where time was given back or the cgroup was made anew', async () => {
    await sampler.sample(PATH);
    await setUsage(1);
    await sleep(120);
    expect((await sampler.sample(PATH)).nanoCores).toBe(0n);
  });

  it('keeps cgroups apart', async () => {
    await writeCgroup(host, '/other', { 'cpu.stat': 'usage_usec 1\n' });
    await sampler.sample(PATH);
    await sleep(120);
    const [known, other] = await Promise.all([sampler.sample(PATH), sampler.sample('/other')]);
    expect(known.nanoCores).toBe(0n);
    expect(other).not.toHaveProperty('nanoCores');
    expect(other.cpu?.usageNs).toBe(1000n);
  });

  it('has an empty sample of a cgroup that is gone', async () => {
    expect(Object.keys(await sampler.sample('/gone'))).toEqual(['timestamp']);
  });
});
