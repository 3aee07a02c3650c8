import { describe, expect, it } from '@jest/globals';

import { thrown } from '../../base/testing.js';
import { checkResources, NO_LIMITS, ociResources, type ContainerResources } from './resources.js';

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
    [{ cpuPeriod: -1 }, 'cpu_period is negative'],
    [{ cpuQuota: -2 }, 'cpu_quota is negative'],
    [{ cpuShares: -1 }, 'cpu_shares is negative'],
    [{ memoryLimit: -1 }, 'memory_limit_in_bytes is negative'],
    [{ memorySwapLimit: -2 }, 'memory_swap_limit_in_bytes is negative'],
    [{ oomScoreAdj: 1001 }, 'oom_score_adj is not between -1000 and 1000'],
    [{ oomScoreAdj: -1001 }, 'oom_score_adj is not between -1000 and 1000'],
    [{ cpusetCpus: '0; 1' }, 'cpuset_cpus is no list of numbers: "0; 1"'],
    [{ cpusetMems: 'all' }, 'cpuset_mems is no list of numbers: "all"'],
  ])('refuses %p', (given, message) => {
    expect(thrown(() => checkResources(with_(given), 'linux.resources'))).toMatchObject({
      code: 'invalid-argument',
      message: `linux.resources.${message}`,
    });
  });
});
