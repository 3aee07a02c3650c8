import type { UserNamespace } from '../base/id-mapping.js';
import type { KeyedLock } from '../base/keyed-lock.js';
import type { Logger } from '../base/log.js';
import type { JoinableOperations, NameRegistry } from '../base/names.js';
import type { UndoRetries } from '../base/undo.js';
import type { Runtimes } from '../oci/runtimes.js';
import type { SeccompProfiles } from '../oci/seccomp-profiles.js';
import type { Selinux } from '../oci/selinux/selinux.js';
import type { PauseProgram } from './pause.js';
import type { SandboxStore } from './store.js';
import type { Bandwidth } from './bandwidth.js';
import type { DnsConfig, PauseSource, PortMapping } from './types.js';

/** What a pod got of its network. */
export interface SandboxNetwork {
  /** The primary address first. */
  readonly ips: readonly string[];
  /** The last plugin's answer, as it gave it. */
  readonly result?: object;
}

/** What a sandbox needs of the pod network; `cni/` has it. */
export interface PodNetworks {
  /** Attaches the pod and returns its addresses, the primary first. What fails half-way is detached again. */
  setUp(request: {
    readonly sandboxId: string;
    readonly netnsPath: string;
    readonly name: string;
    readonly namespace: string;
    readonly uid: string;
    readonly portMappings: readonly PortMapping[];
    readonly dns?: DnsConfig;
    readonly bandwidth?: Bandwidth;
    readonly cgroupPath?: string;
    readonly annotations?: Readonly<Record<string, string>>;
  }): Promise<SandboxNetwork>;
  /** Detaches the pod; not attached is fine. */
  tearDown(sandboxId: string, netnsPath: string | undefined): Promise<void>;
}

export interface PauseRoot {
  readonly id: string;
  readonly rootfs: string;
  readonly dir: string;
  readonly userns?: UserNamespace | undefined;
  /** The SELinux label of its files, if any. */
  readonly label?: string | undefined;
}

/**
 * What a sandbox needs to run its pause container: the built-in program, or an image's. Only `choose` looks at the
 * configuration; the rest goes by what was chosen, which the sandbox's record has.
 */
export interface PauseProvider {
  /** What a new sandbox's is to be made of. An image is pulled if it must be. */
  choose(): Promise<PauseSource>;
  /** Makes the program ready below `rootfs`; for an image, mounts it there, with its writable layer in `dir`. */
  prepare(sandbox: PauseRoot, source: PauseSource): Promise<PauseProgram>;
  /** Gives back what `prepare` took, whatever it was; nothing taken is fine. */
  release(sandbox: Pick<PauseRoot, 'id' | 'rootfs'>): Promise<void>;
  /** After a restart: the sandbox still uses what `prepare` took; an image that nobody knows, if it is not said. */
  adopt(id: string, source: PauseSource | undefined): void;
}

/** What every operation on sandboxes works with; main makes the one there is. */
export interface SandboxContext {
  readonly store: SandboxStore;
  readonly networks: PodNetworks;
  readonly runtimes: Runtimes;
  readonly pause: PauseProvider;
  readonly seccomp: SeccompProfiles;
  readonly selinux: Selinux;
  readonly names: NameRegistry;
  readonly joins: JoinableOperations<string>;
  readonly locks: KeyedLock;
  readonly retries: UndoRetries;
  readonly logger: Logger;
  readonly settings: {
    /** Volatile state: `<state>`. */
    readonly stateDir: string;
    /** Where network namespaces are pinned. */
    readonly netnsDir: string;
    /** For pods whose configuration names none. */
    readonly cgroupParent: string;
  };
}
