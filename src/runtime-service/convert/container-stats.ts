import Long from 'long';

import type { runtime } from '../../../api/cri/generated/api.cjs';
import type { ContainerUse } from '../stats/container-use.js';
import type { CgroupSample, Pressure, PressureLine } from '../stats/types.js';
import { less } from '../stats/parse-values.js';
import { toTimestamp } from './values.js';

/** A CRI wrapper message; null, as protobuf has it, for a value that is not known. */
export function toUint64(value: bigint | number | undefined): runtime.v1.IUInt64Value | null {
  return value === undefined ? null : { value: Long.fromBigInt(BigInt(value), true) };
}

/**
 * @param layersDir the directory that all writable layers are below, which names their file system (CRI
 * FilesystemIdentifier).
 */
export function fromContainerUse(use: ContainerUse, layersDir: string): runtime.v1.IContainerStats {
  const { record } = use.container;
  const { metadata, labels, annotations } = record.config;
  return {
    attributes: { id: record.id, metadata, labels, annotations },
    ...(use.cgroup === undefined ? {} : fromSample(use.cgroup)),
    writableLayer: fromLayer(use, layersDir),
  };
}

function fromSample(sample: CgroupSample): runtime.v1.IContainerStats {
  return { cpu: fromCpu(sample), memory: fromMemory(sample), swap: fromSwap(sample), io: fromIo(sample) };
}

export function fromCpu({ cpu, nanoCores, timestamp }: CgroupSample): runtime.v1.ICpuUsage | null {
  if (cpu === undefined) return null;
  return {
    timestamp: toTimestamp(timestamp),
    usageCoreNanoSeconds: toUint64(cpu.usageNs),
    usageNanoCores: toUint64(nanoCores),
    psi: fromPressure(cpu.pressure),
  };
}

export function fromMemory({ memory, timestamp }: CgroupSample): runtime.v1.IMemoryUsage | null {
  if (memory === undefined) return null;
  const { limit, workingSet } = memory;
  return {
    timestamp: toTimestamp(timestamp),
    workingSetBytes: toUint64(workingSet),
    availableBytes: toUint64(limit === undefined ? undefined : less(limit, workingSet)),
    usageBytes: toUint64(memory.usage),
    rssBytes: toUint64(memory.rss),
    pageFaults: toUint64(memory.pageFaults),
    majorPageFaults: toUint64(memory.majorPageFaults),
    psi: fromPressure(memory.pressure),
  };
}

function fromSwap({ swap, timestamp }: CgroupSample): runtime.v1.ISwapUsage | null {
  if (swap === undefined) return null;
  const { limit, usage } = swap;
  return {
    timestamp: toTimestamp(timestamp),
    swapAvailableBytes: toUint64(limit === undefined ? undefined : less(limit, usage)),
    swapUsageBytes: toUint64(usage),
  };
}

/** CRI knows of I/O only its pressure. */
export function fromIo({ io, timestamp }: CgroupSample): runtime.v1.IIoUsage | null {
  if (io?.pressure === undefined) return null;
  return { timestamp: toTimestamp(timestamp), psi: fromPressure(io.pressure) };
}

function fromLayer({ layer }: ContainerUse, mountpoint: string): runtime.v1.IFilesystemUsage | null {
  if (layer === undefined) return null;
  return {
    timestamp: toTimestamp(layer.timestamp),
    fsId: { mountpoint },
    usedBytes: toUint64(layer.bytes),
    inodesUsed: toUint64(layer.inodes),
  };
}

function fromPressure(pressure: Pressure | undefined): runtime.v1.IPsiStats | null {
  if (pressure === undefined) return null;
  return { Full: fromPressureLine(pressure.full), Some: fromPressureLine(pressure.some) };
}

function fromPressureLine(line: PressureLine | undefined): runtime.v1.IPsiData | null {
  if (line === undefined) return null;
  return { Total: Long.fromBigInt(line.totalNs, true), Avg10: line.avg10, Avg60: line.avg60, Avg300: line.avg300 };
}
