import type { UserNamespace } from '../../base/id-mapping.js';
import type { KeyedLock } from '../../base/keyed-lock.js';
import type { Logger } from '../../base/log.js';
import type { JoinableOperations, NameRegistry } from '../../base/names.js';
import type { UndoRetries } from '../../base/undo.js';
import type { Monitor } from '../../oci/monitor.js';
import type { Runtimes } from '../../oci/runtimes.js';
import type { SandboxStore } from '../../sandbox/store.js';
import type { Confiners } from './confine.js';
import type { ExitWatcher } from './exits.js';
import type { ContainerStore } from './store.js';

/** What a container needs to know of its image. */
export interface ContainerImage {
  readonly id: string;
  readonly repoDigests: readonly string[];
  /** Of an OCI artifact, which can be a volume alone. */
  readonly artifactType?: string;
  readonly config: {
    readonly env: readonly string[];
    readonly cmd: readonly string[];
    readonly entrypoint: readonly string[];
    readonly workingDir: string;
    /** `user[:group]`, names or numbers. */
    readonly user: string;
    readonly stopSignal: string;
    /** Paths that the image declares as volumes. */
    readonly volumes?: readonly string[];
  };
}

/** An image's names, where one must stand for all. */
export interface ImageNames {
  /** A complete reference, or the id of an image without any. */
  readonly name: string;
  /** With the digest, or the id if there is none. */
  readonly digested: string;
}

/** What containers need of the image service. */
export interface ContainerImages {
  /** By tag, digest, id or unique prefix of one. @throws not-found */
  resolve(image: string): ContainerImage;
  /** How the image that `asked` stood for, by a name or an id, is called. */
  namesOf(imageId: string, asked: string): ImageNames;
  /** Mounts the image's layers with a writable one at `target`; in use under `owner` from then on. */
  mountRootfs(options: RootfsRequest): Promise<void>;
  /** Mounts an image's content, read-only, at `target`; kept for `owner` until its root is unmounted. */
  mountVolume(options: VolumeRequest): Promise<void>;
  /** Not mounted is fine. */
  unmountRootfs(options: { readonly owner: string; readonly target: string }): Promise<void>;
  /** After a restart: `owner` still uses the image. */
  adopt(owner: string, imageId: string): void;
  /** After a restart: `owner` uses an image, and nobody can tell which, until its root is unmounted. */
  adoptUnknown(owner: string): void;
}

export interface RootfsRequest {
  readonly imageId: string;
  readonly owner: string;
  readonly target: string;
  /** A directory for the writable layer. */
  readonly writable: string;
  /** The pod's own, if it has one. */
  readonly userns?: UserNamespace | undefined;
  /** The SELinux label of all files; none is set without it. */
  readonly label?: string | undefined;
}

export interface VolumeRequest {
  readonly imageId: string;
  readonly owner: string;
  readonly target: string;
  /** A directory of the image; empty for its root. */
  readonly subPath: string;
  readonly userns?: UserNamespace | undefined;
  /** The SELinux label of all files; none is set without it. */
  readonly label?: string | undefined;
}

/** What every operation on containers works with; main makes the one there is. */
export interface ContainerContext {
  readonly store: ContainerStore;
  readonly sandboxes: SandboxStore;
  readonly images: ContainerImages;
  readonly runtimes: Runtimes;
  readonly monitor: Monitor;
  readonly confiners: Confiners;
  readonly exits: ExitWatcher;
  readonly names: NameRegistry;
  readonly joins: JoinableOperations<string>;
  readonly locks: KeyedLock;
  readonly retries: UndoRetries;
  readonly logger: Logger;
  /** Volatile state: `<state>`, for new containers; each record says where its own is. */
  readonly stateDir: string;
}
