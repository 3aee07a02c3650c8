import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

import { tarOf, type FixtureEntry } from './layers/tar-fixture.js';

/** Makes images for tests: content by digest, and the documents that refer to it. */

export interface Blob {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly data: Buffer;
}

export interface ImageOptions {
  readonly layers: readonly (readonly FixtureEntry[])[];
  readonly config?: Readonly<Record<string, unknown>>;
  readonly architecture?: string;
  readonly docker?: boolean;
  readonly compress?: (tar: Buffer) => Buffer;
  /** Makes an archive of a layer's entries. */
  readonly pack?: (entries: readonly FixtureEntry[]) => Buffer;
  /** Changes the manifest before it is sealed. */
  readonly spoil?: (manifest: Record<string, unknown>) => void;
  /** Replaces the diff ids in the configuration. */
  readonly diffIds?: readonly string[];
}

export interface FixtureImage {
  readonly manifest: Blob;
  /** The configuration and the layers. */
  readonly blobs: readonly Blob[];
  readonly id: string;
}

export const sha256 = (data: string | Buffer): string => `sha256:${createHash('sha256').update(data).digest('hex')}`;
export const HOST_ARCHITECTURE = process.arch === 'x64' ? 'amd64' : process.arch;

export function blobOf(mediaType: string, content: Buffer | object): Blob {
  const data = Buffer.isBuffer(content) ? content : Buffer.from(JSON.stringify(content));
  return { mediaType, digest: sha256(data), size: data.length, data };
}

const describe = ({ mediaType, digest, size }: Blob): object => ({ mediaType, digest, size });

export function imageOf(options: ImageOptions): FixtureImage {
  const { docker = false, compress = gzipSync, architecture = HOST_ARCHITECTURE } = options;
  const prefix = docker ? 'application/vnd.docker' : 'application/vnd.oci.image';
  const tars = options.layers.map(options.pack ?? tarOf);
  const layerType = docker ? `${prefix}.image.rootfs.diff.tar.gzip` : `${prefix}.layer.v1.tar+gzip`;
  const layers = tars.map((tar) => blobOf(layerType, compress(tar)));
  const rootfs = { type: 'layers', diff_ids: options.diffIds ?? tars.map(sha256) };
  const configType = docker ? `${prefix}.container.image.v1+json` : `${prefix}.config.v1+json`;
  const config = blobOf(configType, { architecture, os: 'linux', config: options.config ?? {}, rootfs });
  const manifestType = `${prefix}.${docker ? 'distribution.manifest.v2' : 'manifest.v1'}+json`;
  const body = { schemaVersion: 2, mediaType: manifestType, config: describe(config), layers: layers.map(describe) };
  options.spoil?.(body);
  return { manifest: blobOf(manifestType, body), blobs: [config, ...layers], id: config.digest };
}

/** An index of images, each for an architecture. */
export function indexOf(images: readonly (readonly [FixtureImage, string])[], docker = false): Blob {
  const type = docker
    ? 'application/vnd.docker.distribution.manifest.list.v2+json'
    : 'application/vnd.oci.image.index.v1+json';
  const manifests = images.map(([{ manifest }, architecture]) => ({
    ...describe(manifest),
    platform: { os: 'linux', architecture },
  }));
  return blobOf(type, { schemaVersion: 2, mediaType: type, manifests });
}

/** Writes an OCI layout with images by name. */
export function writeLayout(directory: string, images: Readonly<Record<string, FixtureImage>>): void {
  const write = ({ digest, data }: Blob): void => writeFileSync(join(directory, 'blobs', ...digest.split(':')), data);
  mkdirSync(join(directory, 'blobs', 'sha256'), { recursive: true });
  writeFileSync(join(directory, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  for (const { manifest, blobs } of Object.values(images)) [manifest, ...blobs].forEach(write);
  const manifests = Object.entries(images).map(([name, { manifest }]) => ({
    ...describe(manifest),
    annotations: name === '' ? {} : { 'io.containerd.image.name': name },
  }));
  writeFileSync(join(directory, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests }));
}
