import type { runtime } from '../../../api/cri/generated/api.cjs';
import type { InterfaceUse } from '../stats/parse-net-dev.js';
import type { NetworkUse } from '../stats/pod-network.js';
import type { PodUse } from '../stats/pod-use.js';
import type { CgroupSample } from '../stats/types.js';
import { fromContainerUse, fromCpu, fromIo, fromMemory, toUint64 } from './container-stats.js';
import { toTimestamp } from './values.js';

/** @param layersDir see {@link fromContainerUse} */
export function fromPodUse(use: PodUse, layersDir: string): runtime.v1.IPodSandboxStats {
  const { record } = use.sandbox;
  const { metadata, labels, annotations } = record.config;
  return {
    attributes: { id: record.id, metadata, labels, annotations },
    linux: {
      ...(use.total === undefined ? {} : fromTotal(use.total)),
      network: fromNetwork(use.network),
      containers: use.containers.map((container) => fromContainerUse(container, layersDir)),
    },
  };
}

function fromTotal(total: CgroupSample): runtime.v1.ILinuxPodSandboxStats {
  return { cpu: fromCpu(total), memory: fromMemory(total), io: fromIo(total), process: fromProcesses(total) };
}

function fromProcesses({ processes, timestamp }: CgroupSample): runtime.v1.IProcessUsage | null {
  if (processes === undefined) return null;
  return { timestamp: toTimestamp(timestamp), processCount: toUint64(processes.length) };
}

function fromNetwork(network: NetworkUse | undefined): runtime.v1.INetworkUsage | null {
  if (network === undefined) return null;
  const { timestamp, primary, others } = network;
  return {
    timestamp: toTimestamp(timestamp),
    defaultInterface: fromInterface(primary),
    // The default one among them, as with the peers.
    interfaces: [primary, ...others].map(fromInterface),
  };
}

function fromInterface(one: InterfaceUse): runtime.v1.INetworkInterfaceUsage {
  return {
    name: one.name,
    rxBytes: toUint64(one.rxBytes),
    rxErrors: toUint64(one.rxErrors),
    txBytes: toUint64(one.txBytes),
    txErrors: toUint64(one.txErrors),
  };
}
