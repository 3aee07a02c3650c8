import Long from 'long';

import type { runtime } from '../../../api/cri/generated/api.cjs';
import { checkResources, NO_LIMITS, type ContainerResources } from '../../oci/spec/resources.js';
import { toBytes, toNumber } from './values.js';

type Resources = runtime.v1.ILinuxContainerResources;

/** @throws invalid-argument naming the field, below `where`, that no kernel would take. */
export function toResources(resources: Resources | null | undefined, where = 'linux.resources'): ContainerResources {
  if (!resources) return NO_LIMITS;
  const int = (value: Long | number | null | undefined, name: string): number => toNumber(value, `${where}.${name}`);
  const result: ContainerResources = {
    cpuPeriod: int(resources.cpuPeriod, 'cpu_period'),
    cpuQuota: int(resources.cpuQuota, 'cpu_quota'),
    cpuShares: int(resources.cpuShares, 'cpu_shares'),
    cpusetCpus: resources.cpusetCpus ?? '',
    cpusetMems: resources.cpusetMems ?? '',
    memoryLimit: toBytes(resources.memoryLimitInBytes),
    memorySwapLimit: toBytes(resources.memorySwapLimitInBytes),
    oomScoreAdj: int(resources.oomScoreAdj, 'oom_score_adj'),
    hugepageLimits: (resources.hugepageLimits ?? []).map(({ pageSize, limit }) => ({
      pageSize: pageSize ?? '',
      limit: int(limit, 'hugepage_limits.limit'),
    })),
    unified: resources.unified ?? {},
  };
  checkResources(result, where);
  return result;
}

export function fromResources(resources: ContainerResources): Resources {
  return {
    cpuPeriod: Long.fromNumber(resources.cpuPeriod),
    cpuQuota: Long.fromNumber(resources.cpuQuota),
    cpuShares: Long.fromNumber(resources.cpuShares),
    cpusetCpus: resources.cpusetCpus,
    cpusetMems: resources.cpusetMems,
    memoryLimitInBytes: Long.fromNumber(resources.memoryLimit),
    memorySwapLimitInBytes: Long.fromNumber(resources.memorySwapLimit),
    oomScoreAdj: Long.fromNumber(resources.oomScoreAdj),
    hugepageLimits: resources.hugepageLimits.map(({ pageSize, limit }) => ({
      pageSize,
      limit: Long.fromNumber(limit, true),
    })),
    unified: resources.unified,
  };
}
