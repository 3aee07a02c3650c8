import { failedPrecondition, invalidArgument } from '../../base/errors.js';
import type { CgroupAbilities } from '../cgroup-abilities.js';
import type { OciDeviceRule, OciResources } from './types.js';

/** Limits of a container, as CRI's LinuxContainerResources has them; zero and empty mean "not set". */
export interface ContainerResources {
  /** CFS period and quota in microseconds; a quota of -1 is no limit. */
  readonly cpuPeriod: number;
  readonly cpuQuota: number;
  readonly cpuShares: number;
  readonly cpusetCpus: string;
  readonly cpusetMems: string;
  /** Bytes; -1 is no limit. */
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

type Range = readonly [least: number, most: number];

/** Microseconds that the kernel takes, on v1 and v2 alike (kernel/sched/core.c, tg_set_cfs_bandwidth). */
const CPU_PERIOD: Range = [1_000, 1_000_000];
const CPU_QUOTA: Range = [1_000, 2 ** 44 - 1];
/** What runtimes take. */
const CPU_SHARES: Range = [2, 262_144];

/** @throws invalid-argument naming the field, below `where`, that no kernel would take. */
export function checkResources(resources: ContainerResources, where: string): void {
  const wrong = (field: string, why: string): never => {
    throw invalidArgument(`${where}.${field} ${why}`);
  };
  const between = (field: string, value: number, [least, most]: Range): void => {
    if (value !== 0 && (value < least || value > most)) wrong(field, `is not between ${least} and ${most}: ${value}`);
  };
  between('cpu_period', resources.cpuPeriod, CPU_PERIOD);
  if (resources.cpuQuota !== -1) between('cpu_quota', resources.cpuQuota, CPU_QUOTA);
  between('cpu_shares', resources.cpuShares, CPU_SHARES);
  if (resources.memoryLimit < -1) wrong('memory_limit_in_bytes', 'is negative');
  if (resources.memorySwapLimit < -1) wrong('memory_swap_limit_in_bytes', 'is negative');
  if (resources.memorySwapLimit > 0 && resources.memorySwapLimit < resources.memoryLimit)
    wrong('memory_swap_limit_in_bytes', 'is below memory_limit_in_bytes, which it includes');
  if (Math.abs(resources.oomScoreAdj) > 1000) wrong('oom_score_adj', 'is not between -1000 and 1000');
  const file = Object.keys(resources.unified).find((name) => !/^[a-z]\w*(\.\w+)+$/i.test(name));
  if (file !== undefined) wrong('unified', `has no file's name: "${file}"`);
  const size = resources.hugepageLimits.find(({ pageSize, limit }) => !/^\d+[KMG]B$/.test(pageSize) || limit < 0);
  if (size !== undefined) wrong('hugepage_limits', `has no limit of a page size: "${size.pageSize}", ${size.limit}`);
  for (const [name, list] of [
    ['cpuset_cpus', resources.cpusetCpus],
    ['cpuset_mems', resources.cpusetMems],
  ] as const) {
    if (list !== '' && !list.split(',').every(isNumberOrRange)) wrong(name, `is no list of numbers: "${list}"`);
  }
}

/** As in cpuset(7), "List format". */
function isNumberOrRange(text: string): boolean {
  const [, first, last = first] = /^(\d{1,9})(?:-(\d{1,9}))?$/.exec(text) ?? [];
  return first !== undefined && Number(first) <= Number(last);
}

/**
 * The limits as this node's cgroups can have them. A memory limit without one of swap allows no swap, as with the peers;
 * where the kernel does not count swap, nothing can be said of it. kubelet names every size of huge pages, with a limit of
 * zero, on nodes without a controller for them, too.
 * @throws failed-precondition naming the field, below `where`, for a limit that would not hold.
 */
export function fitResources(resources: ContainerResources, host: CgroupAbilities, where: string): ContainerResources {
  const { memoryLimit, memorySwapLimit, hugepageLimits, unified } = resources;
  const wanted = hugepageLimits.find(({ limit }) => limit > 0);
  if (wanted !== undefined && !host.hugetlb)
    throw failedPrecondition(`${where}.hugepage_limits of ${wanted.pageSize}: this node has no hugetlb controller`);
  const unknown = hugepageLimits.find(({ pageSize, limit }) => limit > 0 && !host.hugePageSizes.includes(pageSize));
  if (unknown !== undefined)
    throw failedPrecondition(`${where}.hugepage_limits: this node has no huge pages of ${unknown.pageSize}`);
  if (host.version === 1 && Object.keys(unified).length > 0)
    throw failedPrecondition(`${where}.unified is of cgroup v2, and this node has v1`);
  return {
    ...resources,
    memorySwapLimit: host.swap ? memorySwapLimit || memoryLimit : 0,
    hugepageLimits: host.hugetlb ? hugepageLimits.filter(({ pageSize }) => host.hugePageSizes.includes(pageSize)) : [],
  };
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
