import { parseIoStat } from './parse-io.js';
import { parsePressure } from './parse-pressure.js';
import { FlatFile, less, parseLimit, parseNumber } from './parse-values.js';
import { present } from './present.js';
import type { CgroupFiles, CgroupUse, CpuUse, IoUse, MemoryUse, SwapUse, TaskUse } from './types.js';

/** What is read of a cgroup on v2. */
export const V2_FILES = [
  'cpu.stat',
  'cpu.pressure',
  'memory.current',
  'memory.stat',
  'memory.max',
  'memory.peak',
  'memory.events',
  'memory.pressure',
  'memory.swap.current',
  'memory.swap.max',
  'io.stat',
  'io.pressure',
  'pids.current',
  'pids.max',
] as const;

/** Reads the files of a v2 cgroup; see the kernel's Documentation/admin-guide/cgroup-v2.rst. */
export function useOfV2(files: CgroupFiles): CgroupUse {
  return present({
    cpu: cpuUse(files),
    memory: memoryUse(files),
    swap: swapUse(files),
    io: ioUse(files),
    tasks: taskUse(files),
  });
}

function cpuUse(files: CgroupFiles): CpuUse | undefined {
  const stat = new FlatFile(files.get('cpu.stat'));
  const usage = stat.find('usage_usec');
  if (usage === undefined) return undefined;
  return {
    usageNs: usage * 1000n,
    userNs: stat.get('user_usec') * 1000n,
    systemNs: stat.get('system_usec') * 1000n,
    periods: stat.get('nr_periods'),
    throttledPeriods: stat.get('nr_throttled'),
    throttledNs: stat.get('throttled_usec') * 1000n,
    ...present({ pressure: parsePressure(files.get('cpu.pressure')) }),
  };
}

function memoryUse(files: CgroupFiles): MemoryUse | undefined {
  const usage = parseNumber(files.get('memory.current'));
  if (usage === undefined) return undefined;
  const stat = new FlatFile(files.get('memory.stat'));
  const events = new FlatFile(files.get('memory.events'));
  const [limit, peak] = [parseLimit(files.get('memory.max')), parseNumber(files.get('memory.peak'))];
  return {
    usage,
    workingSet: less(usage, stat.get('inactive_file')),
    ...present({ activeFile: stat.find('active_file'), inactiveFile: stat.find('inactive_file') }),
    ...present({ limit, peak, kernel: stat.find('kernel') }),
    rss: stat.get('anon'),
    cache: stat.get('file'),
    mappedFile: stat.get('file_mapped'),
    pageFaults: stat.get('pgfault'),
    majorPageFaults: stat.get('pgmajfault'),
    limitHits: events.get('max'),
    oomKills: events.get('oom_kill'),
    ...present({ pressure: parsePressure(files.get('memory.pressure')) }),
  };
}

function swapUse(files: CgroupFiles): SwapUse | undefined {
  const usage = parseNumber(files.get('memory.swap.current'));
  if (usage === undefined) return undefined;
  const limit = parseLimit(files.get('memory.swap.max'));
  return { usage, ...present({ limit }) };
}

function ioUse(files: CgroupFiles): IoUse | undefined {
  const [stat, pressure] = [files.get('io.stat'), parsePressure(files.get('io.pressure'))];
  if (stat === undefined && pressure === undefined) return undefined;
  return { devices: parseIoStat(stat ?? ''), ...present({ pressure }) };
}

function taskUse(files: CgroupFiles): TaskUse | undefined {
  const threads = parseNumber(files.get('pids.current'));
  if (threads === undefined) return undefined;
  const limit = parseLimit(files.get('pids.max'));
  return { threads, ...present({ limit }) };
}
