import { describe, expect, it } from '@jest/globals';

import { thrown } from '../../base/testing.js';
import { checkResources, fitResources, NO_LIMITS, ociResources, type ContainerResources } from './resources.js';

const with_ = (more: Partial<ContainerResources>): ContainerResources => ({ ...NO_LIMITS, ...more });

describe('ociResources', () => {
  it.each<[Partial<ContainerResources>, object]>([
    [{}, {}],
    [{ cpuShares: 512 }, { cpu: { shares: 512 } }],
    [{ cpuQuota: -1, cpuPeriod: 100_000 }, { cpu: { quota: -1, period: 100_000 } }],
    [{ cpusetCpus: '0-1,3', cpusetMems: '0' }, { cpu: { cpus: '0-1,3', mems: '0' } }],
    [{ memoryLimit: 2 ** 30 }, { memory: { limit: 2 ** 30 } }],
    [{ memoryLimit: 1, memorySwapLimit: -1 }, { memory: { limit: 1, swap: -1 } }],
    [{ hugepageLimits: [{ pageSize: '2MB', limit: 4 }] }, { hugepageLimits: [{ pageSize: '2MB', limit: 4 }] }],
    [{ unified: { 'memory.high': '1' } }, { unified: { 'memory.high': '1' } }],
    [{ oomScoreAdj: 5 }, {}],
  ])('of %p', (given, expected) => {
    const devices = [{ allow: false, access: 'rwm' }];
    expect(ociResources(with_(given), devices)).toEqual({ devices, ...expected });
  });
});

describe('checkResources', () => {
  it.each<Partial<ContainerResources>>([
    {},
    { cpuQuota: -1, memorySwapLimit: -1 },
    { oomScoreAdj: -1000 },
    { oomScoreAdj: 1000, cpusetCpus: '0,2-3' },
  ])('takes %p', (given) => {
    expect(() => checkResources(with_(given), 'linux.resources')).not.toThrow();
  });

  it.each<[Partial<ContainerResources>, string]>([
    [{ cpuPeriod: -1 }, 'cpu_period is not between 1000 and 1000000: -1'],
    [{ cpuPeriod: 999 }, 'cpu_period is not between 1000 and 1000000: 999'],
    [{ cpuPeriod: 1_000_001 }, 'cpu_period is not between 1000 and 1000000: 1000001'],
    [{ cpuQuota: -2 }, 'cpu_quota is not between 1000 and 17592186044415: -2'],
    [{ cpuQuota: 999 }, 'cpu_quota is not between 1000 and 17592186044415: 999'],
    [{ cpuShares: -1 }, 'cpu_shares is not between 2 and 262144: -1'],
    [{ cpuShares: 1 }, 'cpu_shares is not between 2 and 262144: 1'],
    [{ cpuShares: 262_145 }, 'cpu_shares is not between 2 and 262144: 262145'],
    [
      { memoryLimit: 5, memorySwapLimit: 4 },
      'memory_swap_limit_in_bytes is below memory_limit_in_bytes, which it includes',
    ],
    [{ memoryLimit: -2 }, 'memory_limit_in_bytes is negative'],
    [{ memorySwapLimit: -2 }, 'memory_swap_limit_in_bytes is negative'],
    [{ oomScoreAdj: 1001 }, 'oom_score_adj is not between -1000 and 1000'],
    [{ oomScoreAdj: -1001 }, 'oom_score_adj is not between -1000 and 1000'],
    [{ cpusetCpus: '0; 1' }, 'cpuset_cpus is no list of numbers: "0; 1"'],
    ...['0,,1', ',', '-', '3-1', '1-', '99999999999'].map((list): [Partial<ContainerResources>, string] => [
      { cpusetCpus: list },
      `cpuset_cpus is no list of numbers: "${list}"`,
    ]),
    [{ cpusetMems: 'all' }, 'cpuset_mems is no list of numbers: "all"'],
    [{ unified: { 'memory.high': '1', '../cgroup.procs': '1' } }, 'unified has no file\'s name: "../cgroup.procs"'],
    [{ unified: { 'a/b.c': '1' } }, 'unified has no file\'s name: "a/b.c"'],
    [
      { hugepageLimits: [{ pageSize: '../2MB', limit: 1 }] },
      'hugepage_limits has no limit of a page size: "../2MB", 1',
    ],
    [{ hugepageLimits: [{ pageSize: '2MB', limit: -1 }] }, 'hugepage_limits has no limit of a page size: "2MB", -1'],
  ])('refuses %p', (given, message) => {
    expect(thrown(() => checkResources(with_(given), 'linux.resources'))).toMatchObject({
      code: 'invalid-argument',
      message: `linux.resources.${message}`,
    });
  });
});

describe('fitResources', () => {
  const ALL = { version: 2, swap: true, hugetlb: true, hugePageSizes: ['2MB', '1GB'] } as const;

  it('allows no swap where memory is limited and nothing is said of it', () => {
    expect(fitResources(with_({ memoryLimit: 5 }), ALL, 'w').memorySwapLimit).toBe(5);
    expect(fitResources(with_({ memoryLimit: 5, memorySwapLimit: 9 }), ALL, 'w').memorySwapLimit).toBe(9);
    expect(fitResources(with_({ memoryLimit: 5, memorySwapLimit: -1 }), ALL, 'w').memorySwapLimit).toBe(-1);
    expect(fitResources(with_({}), ALL, 'w')).toEqual(NO_LIMITS);
  });

  it('says nothing of swap where the kernel does not count it', () => {
    const fitting = fitResources(with_({ memoryLimit: 5, memorySwapLimit: 9 }), { ...ALL, swap: false }, 'w');
    expect(fitting).toMatchObject({ memoryLimit: 5, memorySwapLimit: 0 });
  });

  it('leaves out huge pages that nobody wants, and refuses those that nobody can limit', () => {
    const none = { ...ALL, hugetlb: false };
    const pages = (limit: number) => with_({ hugepageLimits: [{ pageSize: '2MB', limit }] });
    expect(fitResources(pages(4), ALL, 'w').hugepageLimits).toHaveLength(1);
    expect(fitResources(pages(0), none, 'w').hugepageLimits).toEqual([]);
    expect(thrown(() => fitResources(pages(4), none, 'w'))).toMatchObject({ code: 'failed-precondition' });
  });

  it('refuses files of cgroup v2 on v1', () => {
    const resources = with_({ unified: { 'memory.high': '1' } });
    expect(fitResources(resources, ALL, 'w').unified).toEqual({ 'memory.high': '1' });
    expect(thrown(() => fitResources(resources, { ...ALL, version: 1 }, 'linux.resources'))).toMatchObject({
      code: 'failed-precondition',
      message: 'linux.resources.unified is of cgroup v2, and this node has v1',
    });
  });
});
