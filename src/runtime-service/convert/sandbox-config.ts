import { runtime } from '../../../api/cri/generated/api.cjs';
import { invalidArgument, unimplemented } from '../../base/errors.js';
import type { IdMappings } from '../../base/id-mapping.js';
import type {
  PodResources,
  PortMapping,
  SandboxConfig,
  SandboxMetadata,
  SandboxNamespaces,
} from '../../sandbox/types.js';
import { toResources } from './resources.js';
import { toSeccompProfile, toSelinux } from './security.js';
import { toUserns } from './user-namespace.js';
import { absolutePath, fromEnum, metadataText, required } from './values.js';

type Config = runtime.v1.IPodSandboxConfig;
const { NamespaceMode, Protocol } = runtime.v1;

/** @throws invalid-argument or unimplemented naming the field. */
export function toSandboxConfig(config: Config | null | undefined, runtimeHandler: string): SandboxConfig {
  const given = required(config, 'config');
  const { dnsConfig, linux } = given;
  const security = linux?.securityContext;
  const seccomp = toSeccompProfile(security ?? {}, 'config.linux.security_context');
  const selinux = toSelinux(security?.selinuxOptions, 'config.linux.security_context');
  const namespaces = toNamespaces(security?.namespaceOptions);
  const userns = toOwnUserns(security?.namespaceOptions, namespaces);
  return {
    metadata: toMetadata(given.metadata),
    hostname: toHostname(given.hostname ?? '', namespaces),
    logDirectory: given.logDirectory ? absolutePath(given.logDirectory, 'config.log_directory') : '',
    ...(dnsConfig ? { dns: toDns(dnsConfig) } : {}),
    portMappings: (given.portMappings ?? []).map(toPortMapping),
    labels: given.labels ?? {},
    annotations: given.annotations ?? {},
    cgroupParent: toCgroupParent(linux?.cgroupParent ?? ''),
    runtimeHandler,
    namespaces,
    sysctls: linux?.sysctls ?? {},
    privileged: security?.privileged ?? false,
    ...(seccomp === undefined ? {} : { seccomp }),
    ...(selinux === undefined ? {} : { selinux }),
    ...(userns === undefined ? {} : { userns }),
    ...toPodResources(linux ?? {}, 'config.linux'),
  };
}

/** The fields that are set, of those that a pod's configuration and a request to change them share. */
export function toPodResources(
  { overhead, resources }: Pick<runtime.v1.ILinuxPodSandboxConfig, 'overhead' | 'resources'>,
  where: string,
): PodResources {
  return {
    ...(overhead ? { overhead: toResources(overhead, `${where}.overhead`) } : {}),
    ...(resources ? { resources: toResources(resources, `${where}.resources`) } : {}),
  };
}

function toMetadata(metadata: runtime.v1.IPodSandboxMetadata | null | undefined): SandboxMetadata {
  const { name, namespace, uid, attempt } = required(metadata, 'config.metadata');
  return {
    name: metadataText(name, 'config.metadata.name'),
    namespace: metadataText(namespace, 'config.metadata.namespace'),
    uid: metadataText(uid, 'config.metadata.uid'),
    attempt: attempt ?? 0,
  };
}

/** A cgroup's name is a line of /proc/pid/cgroup, and files of cgroups are no parents. */
function toCgroupParent(parent: string): string {
  if (parent === '') return '';
  const field = 'config.linux.cgroup_parent';
  absolutePath(parent.startsWith('/') ? parent : `/${parent}`, field);
  if (parent.includes('\n')) throw invalidArgument(`${field} has more than one line: "${parent}"`);
  return parent;
}

/** A name that nothing would have is refused, as by the peers: kubelet asks for none on the node's network. */
function toHostname(hostname: string, { network }: SandboxConfig['namespaces']): string {
  // sethostname(2) takes 64 bytes.
  if (hostname.length > 64 || !/^[\w.-]*$/.test(hostname))
    throw invalidArgument(`config.hostname is no hostname: "${hostname}"`);
  if (hostname !== '' && network === 'node')
    throw invalidArgument(`config.hostname is "${hostname}", but a pod on the node's network has the node's name`);
  return hostname;
}

function toDns({ servers, searches, options }: runtime.v1.IDNSConfig) {
  return { servers: servers ?? [], searches: searches ?? [], options: options ?? [] };
}

const PROTOCOLS = { [Protocol.TCP]: 'tcp', [Protocol.UDP]: 'udp', [Protocol.SCTP]: 'sctp' } as const;

function toPortMapping(mapping: runtime.v1.IPortMapping, index: number): PortMapping {
  const field = `config.port_mappings[${index}]`;
  const port = (value: number | null | undefined, name: string): number => {
    const number = value ?? 0;
    if (number < 0 || number > 65_535) throw invalidArgument(`${field}.${name} is no port: ${number}`);
    return number;
  };
  return {
    protocol: fromEnum(PROTOCOLS, mapping.protocol, `${field}.protocol`),
    containerPort: port(mapping.containerPort, 'container_port'),
    hostPort: port(mapping.hostPort, 'host_port'),
    hostIp: mapping.hostIp ?? '',
  };
}

const NETWORK = { [NamespaceMode.POD]: 'pod', [NamespaceMode.NODE]: 'node' } as const;
const PID = {
  [NamespaceMode.POD]: 'pod',
  [NamespaceMode.CONTAINER]: 'container',
  [NamespaceMode.NODE]: 'node',
} as const;

function toNamespaces(options: runtime.v1.INamespaceOption | null | undefined): SandboxNamespaces {
  const field = 'config.linux.security_context.namespace_options';
  if (options?.pid === NamespaceMode.TARGET)
    throw unimplemented(`${field}.pid: a sandbox cannot join a container's namespace`);
  return {
    network: fromEnum(NETWORK, options?.network, `${field}.network`),
    pid: fromEnum(PID, options?.pid, `${field}.pid`),
    ipc: fromEnum(NETWORK, options?.ipc, `${field}.ipc`),
  };
}

/**
 * A pod in a user namespace of its own has no rights over the node's other namespaces (user_namespaces(7)); the network
 * can be used without any (CRI RuntimeFeatures.user_namespaces_host_network).
 */
function toOwnUserns(
  options: runtime.v1.INamespaceOption | null | undefined,
  namespaces: SandboxNamespaces,
): IdMappings | undefined {
  const userns = toUserns(options?.usernsOptions);
  if (userns === undefined || userns === 'node') return undefined;
  const shared = (['pid', 'ipc'] as const).find((name) => namespaces[name] === 'node');
  if (shared !== undefined)
    throw invalidArgument(`namespace_options: a user namespace of the pod's own goes not with the node's ${shared}`);
  return userns;
}
