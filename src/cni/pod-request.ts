/** A port of the pod that is to be reachable on the host. */
export interface PortMapping {
  readonly protocol: 'tcp' | 'udp' | 'sctp';
  readonly containerPort: number;
  /** 0 maps nothing: the entry only documents the pod's port. */
  readonly hostPort: number;
  /** Empty means all of the host's addresses. */
  readonly hostIp: string;
}

/** Rates in bits a second, bursts in bits; 0 is unlimited. */
export interface Bandwidth {
  readonly ingressRate: number;
  readonly ingressBurst: number;
  readonly egressRate: number;
  readonly egressBurst: number;
}

export interface DnsRequest {
  readonly servers: readonly string[];
  readonly searches: readonly string[];
  readonly options: readonly string[];
}

/** One pool of addresses, as the `host-local` plugin has it in `ranges`. */
export interface IpRange {
  readonly subnet: string;
  readonly rangeStart?: string;
  readonly rangeEnd?: string;
  readonly gateway?: string;
}

/** What a pod asks of its network. Everything optional reaches only plugins that declare the capability. */
export interface PodNetworkRequest {
  readonly sandboxId: string;
  readonly netnsPath: string;
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
  readonly portMappings: readonly PortMapping[];
  readonly bandwidth?: Bandwidth;
  readonly dns?: DnsRequest;
  /** One list of pools for each address that is wanted. */
  readonly ipRanges?: readonly (readonly IpRange[])[];
  readonly ips?: readonly string[];
  readonly mac?: string;
  readonly aliases?: readonly string[];
  readonly cgroupPath?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}
