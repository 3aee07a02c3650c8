import { parseBlkio } from './parse-io.js';
import { parsePressure } from './parse-pressure.js';
import { FlatFile, less, parseLimit, parseNumber } from './parse-values.js';
import { present } from './present.js';
import type { CgroupFiles, CgroupUse, CpuUse, IoUse, MemoryUse, SwapUse, TaskUse } from './types.js';

/**
 * What is read of a cgroup on v1, by hierarchy. Pressure is in the v2 hierarchy of a hybrid host, which has no
 * controllers but counts that all the same.
 */
export const V1_FILES = [
  'cpuacct/cpuacct.usage',
  'cpuacct/cpuacct.usage_user',
  'cpuacct/cpuacct.usage_sys',
  'cpu/cpu.stat',
  'unified/cpu.pressure',
  'memory/memory.usage_in_bytes',
  'memory/memory.stat',
  'memory/memory.limit_in_bytes',
  'memory/memory.max_usage_in_bytes',
  'memory/memory.failcnt',
  'memory/memory.oom_control',
  'memory/memory.memsw.limit_in_bytes',
  'memory/memory.kmem.usage_in_bytes',
  'unified/memory.pressure',
  'blkio/blkio.throttle.io_service_bytes_recursive',
  'blkio/blkio.throttle.io_serviced_recursive',
  'unified/io.pressure',
  'pids/pids.current',
  'pids/pids.max',
] as const;

/** Reads the files of a v1 cgroup; see the kernel's Documentation/admin-guide/cgroup-v1. */
export function useOfV1(files: CgroupFiles): CgroupUse {
  return present({
    cpu: cpuUse(files),
    memory: memoryUse(files),
    swap: swapUse(files),
    io: ioUse(files),
    tasks: taskUse(files),
  });
}

function cpuUse(files: CgroupFiles): CpuUse | undefined {
  const usageNs = parseNumber(files.get('cpuacct/cpuacct.usage'));
  if (usageNs === undefined) return undefined;
  const stat = new FlatFile(files.get('cpu/cpu.stat'));
  return {
    usageNs,
    userNs: parseNumber(files.get('cpuacct/cpuacct.usage_user')) ?? 0n,
    systemNs: parseNumber(files.get('cpuacct/cpuacct.usage_sys')) ?? 0n,
    periods: stat.get('nr_periods'),
    throttledPeriods: stat.get('nr_throttled'),
    throttledNs: stat.get('throttled_time'),
    ...present({ pressure: parsePressure(files.get('unified/cpu.pressure')) }),
  };
}

/** Only the `total_` lines of `memory.stat` count the cgroups below, as the usage does. */
function memoryUse(files: CgroupFiles): MemoryUse | undefined {
  const usage = parseNumber(files.get('memory/memory.usage_in_bytes'));
  if (usage === undefined) return undefined;
  const stat = new FlatFile(files.get('memory/memory.stat'));
  const oom = new FlatFile(files.get('memory/memory.oom_control'));
  const limit = parseLimit(files.get('memory/memory.limit_in_bytes'));
  const peak = parseNumber(files.get('memory/memory.max_usage_in_bytes'));
  return {
    usage,
    workingSet: less(usage, stat.get('total_inactive_file')),
    ...present({ activeFile: stat.find('total_active_file'), inactiveFile: stat.find('total_inactive_file') }),
    ...present({ limit, peak, kernel: parseNumber(files.get('memory/memory.kmem.usage_in_bytes')) }),
    rss: stat.get('total_rss'),
    cache: stat.get('total_cache'),
    mappedFile: stat.get('total_mapped_file'),
    pageFaults: stat.get('total_pgfault'),
    majorPageFaults: stat.get('total_pgmajfault'),
    limitHits: parseNumber(files.get('memory/memory.failcnt')) ?? 0n,
    oomKills: oom.get('oom_kill'),
    ...present({ pressure: parsePressure(files.get('unified/memory.pressure')) }),
  };
}

/** v1 limits memory and swap together; what that leaves for swap alone is its limit. */
function swapUse(files: CgroupFiles): SwapUse | undefined {
  const usage = new FlatFile(files.get('memory/memory.stat')).find('total_swap');
  if (usage === undefined) return undefined;
  const both = parseLimit(files.get('memory/memory.memsw.limit_in_bytes'));
  const memory = parseLimit(files.get('memory/memory.limit_in_bytes'));
  const limit = both === undefined || memory === undefined ? undefined : less(both, memory);
  return { usage, ...present({ limit, limitWithMemory: both }) };
}

function ioUse(files: CgroupFiles): IoUse | undefined {
  const bytes = files.get('blkio/blkio.throttle.io_service_bytes_recursive');
  const operations = files.get('blkio/blkio.throttle.io_serviced_recursive');
  const pressure = parsePressure(files.get('unified/io.pressure'));
  if (bytes === undefined && pressure === undefined) return undefined;
  return { devices: parseBlkio(bytes ?? '', operations ?? ''), ...present({ pressure }) };
}

function taskUse(files: CgroupFiles): TaskUse | undefined {
  const threads = parseNumber(files.get('pids/pids.current'));
  if (threads === undefined) return undefined;
  const limit = parseLimit(files.get('pids/pids.max'));
  return { threads, ...present({ limit }) };
}
