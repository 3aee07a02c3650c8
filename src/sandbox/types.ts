import type { IdMappings } from '../base/id-mapping.js';
import type { ContainerResources } from '../oci/spec/resources.js';
import type { ProcessIdentity } from '../base/sys/process.js';
import type { SelinuxLabels, SelinuxOptions } from '../oci/selinux/label.js';
import type { Made } from '../oci/runtimes.js';
import type { SecurityProfile } from '../oci/security-profile.js';

/** Identity of a pod's sandbox as kubelet gives it (CRI PodSandboxMetadata). */
export interface SandboxMetadata {
  readonly name: string;
  readonly uid: string;
  readonly namespace: string;
  readonly attempt: number;
}

export interface DnsConfig {
  readonly servers: readonly string[];
  readonly searches: readonly string[];
  readonly options: readonly string[];
}

export interface PortMapping {
  readonly protocol: 'tcp' | 'udp' | 'sctp';
  readonly containerPort: number;
  /** 0: the port is not published on the host. */
  readonly hostPort: number;
  readonly hostIp: string;
}

/** Whose namespaces the pod's containers use (CRI NamespaceMode). */
export interface SandboxNamespaces {
  readonly network: 'pod' | 'node';
  readonly pid: 'pod' | 'container' | 'node';
  readonly ipc: 'pod' | 'node';
}

/**
 * What a pod may take in all, as kubelet says it. The pod's cgroup is kubelet's own, so this is kept for those who look;
 * absent where kubelet has not said it.
 */
export interface PodResources {
  /** What the sandbox takes beside its containers, by its RuntimeClass. */
  readonly overhead?: ContainerResources;
  /** The sum of its containers, or the limits of the pod itself. */
  readonly resources?: ContainerResources;
}

/** What a sandbox was asked to be, checked. */
export interface SandboxConfig extends PodResources {
  readonly metadata: SandboxMetadata;
  readonly hostname: string;
  readonly logDirectory: string;
  readonly dns?: DnsConfig;
  readonly portMappings: readonly PortMapping[];
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** Empty: the configured default. */
  readonly cgroupParent: string;
  /** Empty: the default handler. */
  readonly runtimeHandler: string;
  readonly namespaces: SandboxNamespaces;
  readonly sysctls: Readonly<Record<string, string>>;
  readonly privileged: boolean;
  /** Of the pause process. */
  readonly seccomp?: SecurityProfile;
  /** As asked for the pod; containers have their own. */
  readonly selinux?: SelinuxOptions;
  /** The pod's own user namespace; without it the node's. */
  readonly userns?: IdMappings;
}

/** What a sandbox's pause container is made of: the built-in program, or an image that is mounted for it. */
export type PauseSource = { readonly kind: 'built-in' } | { readonly kind: 'image'; readonly imageId: string };

/**
 * Fixed for the sandbox's life; synced to disk before anything is acquired for it. It has all that the way back needs:
 * the configuration may be another by then.
 */
export interface SandboxRecord extends Made {
  readonly id: string;
  readonly config: SandboxConfig;
  /** Of the request's bytes: tells a retry from another request of the same name. */
  readonly requestDigest: string;
  /** Nanoseconds since the epoch, decimal. */
  readonly createdAt: string;
  /** The volatile state that its files are below; absent in what older versions wrote. */
  readonly stateDir?: string;
  /** Likewise absent there. */
  readonly pause?: PauseSource;
  /** The network namespace's pin; absent for a pod on the node's network. */
  readonly netnsPath?: string;
  readonly cgroupParent: string;
  /** The pod's labels; its containers share the level. Absent where none are set. */
  readonly selinux?: SelinuxLabels;
}

/**
 * ```
 * creating ──► ready ──► not-ready ──► removing ──► (gone)
 *     │                                   ▲
 *     └───────────────────────────────────┘ undo, or a crash half-way
 * ```
 */
export type SandboxStatus =
  | { readonly state: 'creating' }
  | {
      readonly state: 'ready';
      readonly pause: ProcessIdentity;
      /** The primary address first; none on the node's network. */
      readonly ips: readonly string[];
      /** What the network's last plugin answered, for people who look; absent on the node's network. */
      readonly cniResult?: object;
      /** The last set, over those that it was made with. */
      readonly resources?: PodResources;
    }
  | {
      readonly state: 'not-ready';
      /** True once network, namespaces and mounts are given back: stopping again has nothing to do. */
      readonly released: boolean;
    }
  | { readonly state: 'removing' };

export type SandboxState = SandboxStatus['state'];
