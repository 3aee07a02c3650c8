import type { UserNamespace } from '../base/id-mapping.js';

/** The part of an OCI image configuration that says how to run it (OCI image-spec, config.md, `config`). */
export interface ImageConfig {
  readonly user: string;
  readonly env: readonly string[];
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
  readonly workingDir: string;
  /** Name or number, as the image has it; empty when it has none. */
  readonly stopSignal: string;
  /** Paths that the image declares as volumes. */
  readonly volumes: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
}

/**
 * An image as it is stored. `listed` images answer to their names; a `removed` one is only kept until the last
 * container that uses its layers is gone.
 */
export interface ImageRecord {
  /** Digest of the image configuration: `sha256:…`. The one id of the image in all of CRI. */
  readonly id: string;
  readonly state: 'listed' | 'removed';
  /** Full references with a tag: `docker.io/library/busybox:latest`. */
  readonly repoTags: readonly string[];
  /** Full references with the digest of the manifest or index that was asked for. */
  readonly repoDigests: readonly string[];
  readonly config: ImageConfig;
  /** The whole OCI image configuration, as the registry sent it. */
  readonly configJson: string;
  /** Of an OCI artifact, which is no container image: its `chain` has a layer for each of its files. */
  readonly artifactType?: string;
  /** Chain ids of the layers, base first. */
  readonly chain: readonly string[];
  /** Of its manifest, as it was first pulled. */
  readonly annotations: Readonly<Record<string, string>>;
  /** Bytes on disk of all its layers, shared or not. */
  readonly size: number;
  /** Nanoseconds since the epoch when a name was last given to it; the later record owns a tag. */
  readonly updatedAt: string;
}

/** An unpacked layer. The chain id (OCI image-spec, "Layer ChainID") stands for the layer and all below it. */
export interface LayerRecord {
  readonly chainId: string;
  readonly diffId: string;
  /** Name of its directory in `layers/`: a short counter, so that many layers fit one page of mount options. */
  readonly dir: string;
  /** Bytes on disk, in blocks. */
  readonly size: number;
  readonly inodes: number;
  /** How it is known to be whole: names in it, and bytes of its regular files. Absent in what older versions wrote. */
  readonly whole?: { readonly entries: number; readonly content: number };
  /** Milliseconds since the epoch: when the pull failed that it was for. Absent for layers of an image. */
  readonly unclaimedSince?: number;
}

export interface MountRootfsOptions {
  readonly imageId: string;
  /** Who uses the layers: they stay until `unmountRootfs` with the same owner. */
  readonly owner: string;
  readonly target: string;
  /** Directory on a local file system; `upper` and `work` are made in it. */
  readonly writable: string;
  /** The pod's, where it has one: the files show its ids. */
  readonly userns?: UserNamespace | undefined;
  /** The SELinux label of all files; none is set without it. */
  readonly label?: string | undefined;
}

/** An image's content as a volume, read-only. */
export interface MountVolumeOptions {
  readonly imageId: string;
  /** As for a root filesystem; the same owner may have both. */
  readonly owner: string;
  readonly target: string;
  /** A directory of the image, which no link leads out of; empty for its root. */
  readonly subPath: string;
  readonly userns?: UserNamespace | undefined;
  /** The SELinux label of all files; none is set without it. */
  readonly label?: string | undefined;
}

/** What the images take of a file system. */
export interface ImageFsUsage {
  readonly path: string;
  readonly bytes: number;
  readonly inodes: number;
  readonly timestampNs: string;
}

/** What a file system has, in bytes. */
export interface ImageFsCapacity {
  readonly capacityBytes: number;
  /** What others than root may still take. */
  readonly availableBytes: number;
}

/** What sandboxes and containers need of images. */
export interface ImageRootfs {
  /**
   * Finds an image by tag, digest, id or unique prefix of its id.
   * @throws not-found if there is none; invalid-argument for what can name no image or several.
   */
  resolve(image: string): ImageRecord;
  /** Mounts an overlay of the image's layers at `target`. Mount a target once: the upper layer is volatile. */
  mountRootfs(options: MountRootfsOptions): Promise<void>;
  /**
   * Mounts an image's content at `target`, to be unmounted there; kept for `owner` until `unmountRootfs`.
   * @throws not-found if the image is gone; invalid-argument for a sub path that is no directory of it.
   */
  mountVolume(options: MountVolumeOptions): Promise<void>;
  /** Unmounts and lets the layers go; doing it again is fine. */
  unmountRootfs(options: { readonly owner: string; readonly target: string }): Promise<void>;
  /** After a restart: says that `owner` still uses the image's layers. */
  adopt(owner: string, imageId: string): void;
  /** After a restart: nobody can tell which image `owner` uses, so no layer may be taken for unused. */
  adoptUnknown(owner: string): void;
}
