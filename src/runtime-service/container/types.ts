import type { IdMappings } from '../../base/id-mapping.js';
import type { ProcessIdentity } from '../../base/sys/process.js';
import type { ContainerDevice } from '../../oci/spec/devices.js';
import type { ContainerMount } from '../../oci/spec/mounts.js';
import type { ContainerResources } from '../../oci/spec/resources.js';
import type { OciUser } from '../../oci/spec/types.js';
import type { SelinuxOptions } from '../../oci/selinux/label.js';
import type { Made } from '../../oci/runtimes.js';
import type { SecurityProfile } from '../../oci/security-profile.js';

/** What a container was asked to be, checked. */
export interface ContainerConfig {
  readonly metadata: { readonly name: string; readonly attempt: number };
  /** As asked: a tag, a digest or an id. */
  readonly image: string;
  /** What the user wrote, when kubelet resolved it to an id (CRI ImageSpec.user_specified_image). */
  readonly userSpecifiedImage: string;
  readonly command: readonly string[];
  readonly args: readonly string[];
  /** Empty: the image's, else `/`. */
  readonly workingDir: string;
  readonly env: readonly { readonly key: string; readonly value: string }[];
  readonly mounts: readonly ContainerMount[];
  readonly devices: readonly ContainerDevice[];
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** Below the sandbox's log directory; empty for no log. */
  readonly logPath: string;
  readonly stdin: boolean;
  /** Close stdin after the first attach session. */
  readonly stdinOnce: boolean;
  readonly tty: boolean;
  /** A signal's name; empty: the image's, else SIGTERM. */
  readonly stopSignal: string;
  readonly resources: ContainerResources;
  readonly security: SecurityConfig;
  /** The user namespace that it was asked to be in; absent for the pod's, whichever that is. */
  readonly userns?: 'node' | IdMappings;
}

/** CRI LinuxContainerSecurityContext, as far as it is served. */
export interface SecurityConfig {
  readonly privileged: boolean;
  readonly addCapabilities: readonly string[];
  readonly dropCapabilities: readonly string[];
  readonly addAmbientCapabilities: readonly string[];
  readonly pid: 'pod' | 'container' | 'node' | 'target';
  readonly targetId: string;
  readonly uid?: number;
  readonly username: string;
  readonly gid?: number;
  readonly supplementalGroups: readonly number[];
  readonly groupsPolicy: 'merge' | 'strict';
  readonly readonlyRootfs: boolean;
  readonly noNewPrivileges: boolean;
  /** Absent: the default ones. */
  readonly maskedPaths?: readonly string[];
  readonly readonlyPaths?: readonly string[];
  readonly seccomp?: SecurityProfile;
  readonly apparmor?: SecurityProfile;
  readonly selinux?: SelinuxOptions;
}

/**
 * Fixed for the container's life; synced to disk before anything is acquired for it. It has all that the way back needs:
 * the configuration may be another by then.
 */
export interface ContainerRecord extends Made {
  readonly id: string;
  /** Only one container may have it at a time; made of the container's and the pod's metadata. */
  readonly name: string;
  readonly sandboxId: string;
  readonly config: ContainerConfig;
  readonly requestDigest: string;
  /** Nanoseconds since the epoch, decimal. */
  readonly createdAt: string;
  /** The volatile state that its bundle is below; absent in what older versions wrote. */
  readonly stateDir?: string;
  /** The sandbox's, which may be gone before; likewise absent. */
  readonly cgroupParent?: string;
  readonly imageId: string;
  /** The image's digest reference, or its id if it has none. */
  readonly imageRef: string;
  /** The image's name, complete, as its pod's author has it; absent in what older versions wrote. */
  readonly imageName?: string;
  /** The images of the mounts that have one, in their order. */
  readonly volumeImages?: readonly VolumeImage[];
  /** Absolute; empty for no log. */
  readonly logPath: string;
  /** As CRI's enum names it. */
  readonly stopSignal: string;
}

/** What an image volume's reference stood for at creation. */
export interface VolumeImage {
  readonly imageId: string;
  /** The image's digest reference, or its id if it has none. */
  readonly imageRef: string;
}

/** The processes of a created container. */
export interface ContainerProcesses {
  readonly init: ProcessIdentity;
  readonly monitor: ProcessIdentity;
  /** The container's cgroup in one hierarchy, to kill what outlives init in a shared pid namespace. */
  readonly cgroupDir: string;
  /** The out-of-memory kills that the slice of that cgroup had counted before; absent where it has none, or counts none. */
  readonly sliceOomKills?: number;
}

/**
 * ```
 * creating ──► created ──► running ──► exited ──► removing ──► (gone)
 *     │           └────────────────────► ▲ ▲          ▲
 *     ├───────► unstartable ───────────────┘          │
 *     │           └──────────────────────────────────►│
 *     └───────────────────────────────────────────────┘ undo, or a crash half-way
 * ```
 */
export type ContainerStatus =
  | { readonly state: 'creating' }
  | CreatedStatus
  | {
      readonly state: 'running';
      readonly processes: ContainerProcesses;
      readonly user?: OciUser;
      readonly startedAt: string;
      readonly resources?: ContainerResources;
    }
  | UnstartableStatus
  | ExitedStatus
  | { readonly state: 'removing' };

export interface CreatedStatus {
  readonly state: 'created';
  readonly processes: ContainerProcesses;
  /** Whom init started as; absent in what older versions wrote. */
  readonly user?: OciUser;
  /** The limits since the last update; absent for those of the record. */
  readonly resources?: ContainerResources;
}

/** To clients it is created; its start fails, and then it has exited. There is no process of it. */
export interface UnstartableStatus {
  readonly state: 'unstartable';
  /** Why. */
  readonly message: string;
  readonly resources?: ContainerResources;
}

export interface ExitedStatus {
  readonly state: 'exited';
  /** Absent for one that never started. */
  readonly startedAt?: string;
  readonly finishedAt: string;
  /** 128 + signal where one ended it; 255 where nobody knows; 128 where it could not be started, as with containerd. */
  readonly exitCode: number;
  readonly reason: 'Completed' | 'Error' | 'OOMKilled' | 'Unknown' | 'StartError';
  readonly message: string;
  readonly resources?: ContainerResources;
  readonly user?: OciUser;
}

export type ContainerState = ContainerStatus['state'];
