import { invalidArgument } from '../../base/errors.js';
import type { OciDeviceRule, OciResources } from './types.js';

/** Limits of a container, as CRI's LinuxContainerResources has them; zero and empty mean "not set". */
export interface ContainerResources {
  /** CFS period and quota in microseconds; a quota of -1 is no limit. */
  readonly cpuPeriod: number;
  readonly cpuQuota: number;
  readonly cpuShares: number;
  readonly cpusetCpus: string;
  readonly cpusetMems: string;
  /** Bytes. */
  readonly memoryLimit: number;
  /** Bytes of memory and swap together; -1 is no limit. */
  readonly memorySwapLimit: number;
  /** -1000 to 1000. */
  readonly oomScoreAdj: number;
  readonly hugepageLimits: readonly { readonly pageSize: string; readonly limit: number }[];
  /** cgroup v2 files by name. */
  readonly unified: Readonly<Record<string, string>>;
}

export const NO_LIMITS: ContainerResources = {
  cpuPeriod: 0,
  cpuQuota: 0,
  cpuShares: 0,
  cpusetCpus: '',
  cpusetMems: '',
  memoryLimit: 0,
  memorySwapLimit: 0,
  oomScoreAdj: 0,
  hugepageLimits: [],
  unified: {},
};

/** @throws invalid-argument naming the field, below `where`, that no kernel would take. */
export function checkResources(resources: ContainerResources, where: string): void {
  const wrong = (field: string, why: string): never => {
    throw invalidArgument(`${where}.${field} ${why}`);
  };
  if (resources.cpuPeriod < 0) wrong('cpu_period', 'is negative');
  if (resources.cpuQuota < -1) wrong('cpu_quota', 'is negative');
  if (resources.cpuShares < 0) wrong('cpu_shares', 'is negative');
  if (resources.memoryLimit < 0) wrong('memory_limit_in_bytes', 'is negative');
  if (resources.memorySwapLimit < -1) wrong('memory_swap_limit_in_bytes', 'is negative');
  if (Math.abs(resources.oomScoreAdj) > 1000) wrong('oom_score_adj', 'is not between -1000 and 1000');
  for (const [name, list] of [
    ['cpuset_cpus', resources.cpusetCpus],
    ['cpuset_mems', resources.cpusetMems],
  ] as const) {
    if (!/^[\d,-]*$/.test(list)) wrong(name, `is no list of numbers: "${list}"`);
  }
}

/** The limits as the runtime has them; what is not set is left out, so that the kernel's default stays. */
export function ociResources(resources: ContainerResources, devices: readonly OciDeviceRule[]): OciResources {
  const memory = ociMemory(resources);
  const cpu = ociCpu(resources);
  const { hugepageLimits, unified } = resources;
  return {
    devices,
    ...(memory === undefined ? {} : { memory }),
    ...(cpu === undefined ? {} : { cpu }),
    ...(hugepageLimits.length === 0 ? {} : { hugepageLimits }),
    ...(Object.keys(unified).length === 0 ? {} : { unified }),
  };
}

function ociMemory({ memoryLimit, memorySwapLimit }: ContainerResources): OciResources['memory'] {
  if (memoryLimit === 0 && memorySwapLimit === 0) return undefined;
  return {
    ...(memoryLimit === 0 ? {} : { limit: memoryLimit }),
    ...(memorySwapLimit === 0 ? {} : { swap: memorySwapLimit }),
  };
}

function ociCpu(resources: ContainerResources): OciResources['cpu'] {
  const cpu = {
    ...(resources.cpuShares === 0 ? {} : { shares: resources.cpuShares }),
    ...(resources.cpuQuota === 0 ? {} : { quota: resources.cpuQuota }),
    ...(resources.cpuPeriod === 0 ? {} : { period: resources.cpuPeriod }),
    ...(resources.cpusetCpus === '' ? {} : { cpus: resources.cpusetCpus }),
    ...(resources.cpusetMems === '' ? {} : { mems: resources.cpusetMems }),
  };
  return Object.keys(cpu).length === 0 ? undefined : cpu;
}
