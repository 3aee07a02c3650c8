import { nowNs } from '../../base/clock.js';
import { present } from './present.js';
import type { CgroupSample, CpuUse, DeviceIo, IoUse, MemoryUse, SwapUse, TaskUse } from './types.js';

/**
 * What several cgroups take together, for a pod without a cgroup of its own. A limit is the sum only if all have one;
 * pressure cannot be added up.
 */
export function sumSamples(samples: readonly CgroupSample[]): CgroupSample {
  const pick = <T>(part: (sample: CgroupSample) => T | undefined): T[] =>
    samples.map(part).filter((value) => value !== undefined);
  const [cpu, memory, swap] = [pick((s) => s.cpu), pick((s) => s.memory), pick((s) => s.swap)];
  const [io, tasks, processes] = [pick((s) => s.io), pick((s) => s.tasks), pick((s) => s.processes)];
  const rates = pick((s) => s.nanoCores);
  const some = <T, R>(items: readonly T[], add: (items: readonly T[]) => R): R | undefined =>
    items.length === 0 ? undefined : add(items);
  return {
    timestamp: nowNs(),
    ...present({
      nanoCores: some(rates, sum),
      cpu: some(cpu, sumCpu),
      memory: some(memory, sumMemory),
      swap: some(swap, sumSwap),
      io: some(io, sumIo),
      tasks: some(tasks, sumTasks),
      processes: some(processes, (lists) => lists.flat()),
    }),
  };
}

function sum(values: readonly bigint[]): bigint {
  return values.reduce((a, b) => a + b, 0n);
}

function total<T>(items: readonly T[], value: (item: T) => bigint): bigint {
  return sum(items.map(value));
}

function limitOf(items: readonly { readonly limit?: bigint }[]): { limit?: bigint } {
  const limits = items.map(({ limit }) => limit).filter((limit) => limit !== undefined);
  return limits.length === items.length ? { limit: sum(limits) } : {};
}

function sumCpu(all: readonly CpuUse[]): CpuUse {
  return {
    usageNs: total(all, (cpu) => cpu.usageNs),
    userNs: total(all, (cpu) => cpu.userNs),
    systemNs: total(all, (cpu) => cpu.systemNs),
    periods: total(all, (cpu) => cpu.periods),
    throttledPeriods: total(all, (cpu) => cpu.throttledPeriods),
    throttledNs: total(all, (cpu) => cpu.throttledNs),
  };
}

function sumMemory(all: readonly MemoryUse[]): MemoryUse {
  return {
    usage: total(all, (memory) => memory.usage),
    workingSet: total(all, (memory) => memory.workingSet),
    ...limitOf(all),
    rss: total(all, (memory) => memory.rss),
    cache: total(all, (memory) => memory.cache),
    mappedFile: total(all, (memory) => memory.mappedFile),
    pageFaults: total(all, (memory) => memory.pageFaults),
    majorPageFaults: total(all, (memory) => memory.majorPageFaults),
    limitHits: total(all, (memory) => memory.limitHits),
    oomKills: total(all, (memory) => memory.oomKills),
  };
}

function sumSwap(all: readonly SwapUse[]): SwapUse {
  return { usage: total(all, (swap) => swap.usage), ...limitOf(all) };
}

function sumTasks(all: readonly TaskUse[]): TaskUse {
  return { threads: total(all, (tasks) => tasks.threads), ...limitOf(all) };
}

function sumIo(all: readonly IoUse[]): IoUse {
  const byDevice = new Map<string, DeviceIo>();
  for (const one of all.flatMap(({ devices }) => devices)) {
    const before = byDevice.get(one.device);
    byDevice.set(one.device, before === undefined ? one : addDevices(before, one));
  }
  return { devices: [...byDevice.values()] };
}

function addDevices(a: DeviceIo, b: DeviceIo): DeviceIo {
  return {
    device: a.device,
    readBytes: a.readBytes + b.readBytes,
    writeBytes: a.writeBytes + b.writeBytes,
    reads: a.reads + b.reads,
    writes: a.writes + b.writes,
  };
}
