/** How long tasks waited for a resource (kernel, Documentation/accounting/psi.rst). */
export interface PressureLine {
  /** Since the start; the kernel counts microseconds. */
  readonly totalNs: bigint;
  /** Percent of the last 10, 60 and 300 seconds. */
  readonly avg10: number;
  readonly avg60: number;
  readonly avg300: number;
}

export interface Pressure {
  /** At least one task waited. */
  readonly some?: PressureLine;
  /** All tasks waited at once. */
  readonly full?: PressureLine;
}

/** CPU time since the cgroup's start, in nanoseconds. */
export interface CpuUse {
  readonly usageNs: bigint;
  readonly userNs: bigint;
  readonly systemNs: bigint;
  /** Enforcement periods of a quota: all, and those in which the cgroup had to wait. */
  readonly periods: bigint;
  readonly throttledPeriods: bigint;
  readonly throttledNs: bigint;
  readonly pressure?: Pressure;
}

/** Memory of a cgroup and those below it, in bytes. */
export interface MemoryUse {
  /** All that is charged, file cache included. */
  readonly usage: bigint;
  /** Without file cache that was not used lately: what kubelet's eviction looks at. */
  readonly workingSet: bigint;
  /** Absent for no limit. */
  readonly limit?: bigint;
  readonly rss: bigint;
  readonly cache: bigint;
  readonly mappedFile: bigint;
  /** File cache that was used lately, and that was not. */
  readonly activeFile?: bigint;
  readonly inactiveFile?: bigint;
  /** What the kernel keeps for it; absent where that is not counted apart. */
  readonly kernel?: bigint;
  readonly pageFaults: bigint;
  readonly majorPageFaults: bigint;
  /** The most that was ever charged; absent on kernels that do not keep it. */
  readonly peak?: bigint;
  /** How often the limit was met. */
  readonly limitHits: bigint;
  readonly oomKills: bigint;
  readonly pressure?: Pressure;
}

export interface SwapUse {
  readonly usage: bigint;
  /** Absent for no limit. */
  readonly limit?: bigint;
  /** The limit of memory and swap together, which is what v1 has; absent for none. */
  readonly limitWithMemory?: bigint;
}

/** What passed between a cgroup and one block device. */
export interface DeviceIo {
  /** `major:minor` */
  readonly device: string;
  readonly readBytes: bigint;
  readonly writeBytes: bigint;
  readonly reads: bigint;
  readonly writes: bigint;
}

export interface IoUse {
  readonly devices: readonly DeviceIo[];
  readonly pressure?: Pressure;
}

/** Tasks, as the pids controller counts them: threads, not processes. */
export interface TaskUse {
  readonly threads: bigint;
  /** Absent for no limit. */
  readonly limit?: bigint;
}

/** One reading of a cgroup. What its controllers do not tell, or no longer since it is gone, is absent. */
export interface CgroupUse {
  readonly cpu?: CpuUse;
  readonly memory?: MemoryUse;
  readonly swap?: SwapUse;
  readonly io?: IoUse;
  readonly tasks?: TaskUse;
  /** Their pids. */
  readonly processes?: readonly number[];
}

/** A reading with its time and the rate since the one before. */
export interface CgroupSample extends CgroupUse {
  /** Nanoseconds since the epoch, decimal. */
  readonly timestamp: string;
  /** Nanoseconds of CPU time a second since the reading before; absent for the first. */
  readonly nanoCores?: bigint;
}

/** The files of a cgroup that could be read, by name. */
export type CgroupFiles = ReadonlyMap<string, string>;
