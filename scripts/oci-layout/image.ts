import { gzipSync } from 'node:zlib';

import { blob, descriptor, jsonBlob, sha256, type Blob, type Platform } from './blob.js';
import type { Entry } from './entries.js';
import { MEDIA_TYPES, type Compression, type Format } from './media-types.js';
import { tar, type TarOptions } from './tar.js';

/** A packed layer; made once, it serves any number of images. */
export interface Layer {
  readonly compression: Compression;
  /** Digest of the uncompressed archive. */
  readonly diffId: string;
  readonly data: Buffer;
}

/** The part of an image's config that a container takes over. */
export interface ProcessConfig {
  readonly User?: string;
  readonly Env?: readonly string[];
  readonly Cmd?: readonly string[];
  readonly Entrypoint?: readonly string[];
  readonly WorkingDir?: string;
  readonly StopSignal?: string;
  readonly Volumes?: Readonly<Record<string, object>>;
  readonly Labels?: Readonly<Record<string, string>>;
}

export interface ImageSource {
  readonly layers: readonly Layer[];
  readonly process?: ProcessConfig;
  readonly platform?: Platform;
  readonly format?: Format;
}

/** A manifest or an index, and all that it refers to, in the order in which a registry takes it. */
export interface Image {
  readonly root: Blob;
  readonly platform?: Platform;
  readonly manifests: readonly Blob[];
  readonly blobs: readonly Blob[];
}

const PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const CREATED = '2026-01-01T00:00:00Z';

/** The platform that runs here, in the names of GOARCH, as image configs have them. */
export const HOST_PLATFORM: Platform = { os: 'linux', architecture: process.arch === 'x64' ? 'amd64' : process.arch };

export interface LayerOptions extends TarOptions {
  readonly compression?: Compression;
}

export async function layer(entries: readonly Entry[], options: LayerOptions = {}): Promise<Layer> {
  const { compression = 'gzip' } = options;
  const archive = await tar(entries, options);
  const data = compression === 'gzip' ? gzipSync(archive, { level: 6 }) : archive;
  return { compression, diffId: sha256(archive), data };
}

export function image(source: ImageSource): Image {
  const types = MEDIA_TYPES[source.format ?? 'oci'];
  const platform = source.platform ?? HOST_PLATFORM;
  const layers = source.layers.map(({ compression, data }) => blob(types.layer[compression], data));
  const config = jsonBlob(types.config, imageConfig(source, platform));
  const root = jsonBlob(types.manifest, {
    schemaVersion: 2,
    mediaType: types.manifest,
    config: descriptor(config),
    layers: layers.map(descriptor),
  });
  return { root, platform, manifests: [root], blobs: [...layers, config] };
}

/** One name for images of several platforms: an OCI index or a Docker manifest list. */
export function imageIndex(images: readonly Image[], format: Format = 'oci'): Image {
  const mediaType = MEDIA_TYPES[format].index;
  const manifests = images.map(({ root, platform }) => ({ ...descriptor(root), platform }));
  const root = jsonBlob(mediaType, { schemaVersion: 2, mediaType, manifests });
  return {
    root,
    manifests: [...images.flatMap((child) => child.manifests), root],
    blobs: images.flatMap((child) => child.blobs),
  };
}

function imageConfig({ layers, process = {} }: ImageSource, platform: Platform): object {
  return {
    ...platform,
    created: CREATED,
    config: { Env: [PATH], ...process },
    rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
    history: layers.map(() => ({ created: CREATED })),
  };
}
