import { runtime } from '../../../api/cri/generated/api.cjs';
import type { Sandbox } from '../../sandbox/store.js';
import { fromMappings } from './user-namespace.js';
import { toTimestamp } from './values.js';

const { NamespaceMode, PodSandboxState } = runtime.v1;

/** A sandbox under way, to or from existence, is on no list. */
export function isListed({ status }: Sandbox): boolean {
  return status.state === 'ready' || status.state === 'not-ready';
}

export function sandboxState({ status }: Sandbox): runtime.v1.PodSandboxState {
  return status.state === 'ready' ? PodSandboxState.SANDBOX_READY : PodSandboxState.SANDBOX_NOTREADY;
}

export function fromSandbox(sandbox: Sandbox): runtime.v1.IPodSandbox {
  const { id, config, createdAt } = sandbox.record;
  return {
    id,
    metadata: config.metadata,
    state: sandboxState(sandbox),
    createdAt: toTimestamp(createdAt),
    labels: config.labels,
    annotations: config.annotations,
    runtimeHandler: config.runtimeHandler,
  };
}

const MODES = { pod: NamespaceMode.POD, container: NamespaceMode.CONTAINER, node: NamespaceMode.NODE } as const;

export function fromSandboxStatus(sandbox: Sandbox): runtime.v1.IPodSandboxStatus {
  const { network, pid, ipc } = sandbox.record.config.namespaces;
  const { userns } = sandbox.record.config;
  const usernsOptions =
    userns === undefined ? {} : { usernsOptions: { mode: NamespaceMode.POD, ...fromMappings(userns) } };
  const [ip = '', ...others] = sandbox.status.state === 'ready' ? sandbox.status.ips : [];
  return {
    ...fromSandbox(sandbox),
    network: { ip, additionalIps: others.map((other) => ({ ip: other })) },
    linux: { namespaces: { options: { network: MODES[network], pid: MODES[pid], ipc: MODES[ipc], ...usernsOptions } } },
  };
}
