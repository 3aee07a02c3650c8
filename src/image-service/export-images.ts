import { rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { failedPrecondition, invalidArgument } from '../base/errors.js';
import { abortReason } from '../base/abort.js';
import { ensureDirectory } from '../base/files.js';
import { fileChunks } from './layout-files.js';
import type { Packed } from './layers/pack-layer.js';
import type { LayerStore } from './layers/layer-store.js';
import { TAR_END, tarHeader, tarPadding } from './layers/tar-writer.js';
import type { UnpackPool } from './layers/unpack-pool.js';
import { digestOf } from './registry/digest.js';
import { isObject, parseObject } from './registry/json.js';
import { CONFIG_TYPES, INDEX_TYPES, MANIFEST_TYPES } from './registry/media-types.js';
import { HOST_ARCHITECTURE } from './registry/platform.js';
import type { ImageRecord } from './types.js';

export interface ExportContext {
  readonly layers: LayerStore;
  readonly pool: UnpackPool;
}

/** An image, and the names that it goes by in the archive. */
export interface ExportedImage {
  readonly image: ImageRecord;
  readonly names: readonly string[];
}

export interface ExportOptions {
  readonly format: 'oci' | 'docker';
  readonly signal?: AbortSignal | undefined;
}

/** What an image is in the archive: its layers are packed anew, so digests and id are others. */
export interface ExportResult {
  readonly names: readonly string[];
  readonly id: string;
  readonly exportedId: string;
}

interface Work extends ExportContext, ExportOptions {
  /** Where the archive's files are put together. */
  readonly directory: string;
  /** By chain id. */
  readonly packed: Map<string, Packed>;
  /** The archive's files in their order, by name. */
  readonly files: Set<string>;
}

const LAYER_TYPE = 'application/vnd.oci.image.layer.v1.tar+gzip';
const MTIME = { uid: 0, gid: 0, mtimeNs: 0n, xattrs: new Map<string, Buffer>() };
let counter = 0;

/**
 * Yields a tar archive of images, in the form of an OCI layout (image-spec, image-layout.md) or of what `docker save` writes.
 *
 * Blobs are not kept, and an unpacked tree does not say how its archive was written. So layers are packed anew, the
 * configuration has the diff ids of the new archives in place of the old ones, and the image has another id. It is the same each
 * time, and what is imported from it is exported as the same again.
 * @throws failed-precondition for an OCI artifact, which such an archive would make an image of
 */
export async function* exportImages(
  context: ExportContext,
  images: readonly ExportedImage[],
  options: ExportOptions,
): AsyncGenerator<Uint8Array, ExportResult[]> {
  const { layers } = context;
  for (const { image, names } of images) refuseArtifact(image, names);
  const owner = `export:${counter++}`;
  const { path: directory } = layers.ingestPath();
  for (const { image } of images) layers.retain(owner, image.chain);
  try {
    await ensureDirectory(join(directory, 'blobs', 'sha256'));
    const work: Work = { ...context, ...options, directory, packed: new Map(), files: new Set() };
    const results = await (options.format === 'oci' ? writeLayout(work, images) : writeDockerArchive(work, images));
    yield* tarOfFiles(work);
    return results;
  } finally {
    layers.release(owner);
    layers.discard(directory);
  }
}

function refuseArtifact({ id, artifactType }: ImageRecord, [name = id]: readonly string[]): void {
  if (artifactType !== undefined) throw failedPrecondition(`${name} is an OCI artifact, which is pulled, not exported`);
}

async function writeLayout(work: Work, images: readonly ExportedImage[]): Promise<ExportResult[]> {
  const entries: object[] = [];
  const results: ExportResult[] = [];
  await addFile(work, 'oci-layout', { imageLayoutVersion: '1.0.0' });
  for (const { image, names } of images) {
    const layers = await packAll(work, image);
    const config = await addBlob(work, CONFIG_TYPES[0] ?? '', configWith(image, layers));
    const descriptors = layers.map(({ digest, size }) => ({ mediaType: LAYER_TYPE, digest, size }));
    const mediaType = MANIFEST_TYPES[0] ?? '';
    const content = { schemaVersion: 2, mediaType, config, layers: descriptors, ...annotationsOf(image) };
    const manifest = await addBlob(work, mediaType, content);
    for (const annotations of annotationsFor(names))
      entries.push({ ...manifest, platform: { architecture: HOST_ARCHITECTURE, os: 'linux' }, annotations });
    results.push({ names, id: image.id, exportedId: config.digest });
  }
  await addFile(work, 'index.json', { schemaVersion: 2, mediaType: INDEX_TYPES[0], manifests: entries });
  return results;
}

/** The manifest's own. */
function annotationsOf({ annotations }: ImageRecord): { annotations?: ImageRecord['annotations'] } {
  return Object.keys(annotations).length === 0 ? {} : { annotations };
}

/** The whole name as containerd has it, and the tag as the image-spec has it. */
function annotationsFor(names: readonly string[]): Record<string, string>[] {
  if (names.length === 0) return [{}];
  return names.map((name) => ({
    'io.containerd.image.name': name,
    'org.opencontainers.image.ref.name': name.slice(name.lastIndexOf(':') + 1),
  }));
}

async function writeDockerArchive(work: Work, images: readonly ExportedImage[]): Promise<ExportResult[]> {
  const entries: object[] = [];
  const results: ExportResult[] = [];
  for (const { image, names } of images) {
    const layers = await packAll(work, image);
    const text = JSON.stringify(configWith(image, layers));
    const exportedId = digestOf(text);
    const config = `${exportedId.slice('sha256:'.length)}.json`;
    await addFile(work, config, text);
    entries.push({ Config: config, RepoTags: names, Layers: layers.map(({ diffId }) => archiveName(diffId)) });
    results.push({ names, id: image.id, exportedId });
  }
  await addFile(work, 'manifest.json', entries);
  return results;
}

const archiveName = (diffId: string): string => `${diffId.slice('sha256:'.length)}.tar`;

/** Packs the layers that are not packed yet, base first. */
async function packAll(work: Work, image: ImageRecord): Promise<Packed[]> {
  const all: Packed[] = [];
  for (const chainId of image.chain) {
    if (work.signal?.aborted) throw abortReason(work.signal);
    const packed = work.packed.get(chainId) ?? (await packOne(work, chainId));
    work.packed.set(chainId, packed);
    all.push(packed);
  }
  return all;
}

async function packOne({ layers, pool, directory, format, files }: Work, chainId: string): Promise<Packed> {
  const target = join(directory, 'packing');
  const packed = await pool.pack({ directory: layers.directoryOf(chainId), target, compress: format === 'oci' });
  const name = format === 'oci' ? blobName(packed.digest) : archiveName(packed.diffId);
  await rename(target, join(directory, name));
  files.add(name);
  return packed;
}

/** The image's configuration with the digests of the archives as they are now. */
function configWith({ configJson, id }: ImageRecord, layers: readonly Packed[]): object {
  const config = parseObject(configJson, `the configuration of ${id}`);
  const rootfs = isObject(config['rootfs']) ? config['rootfs'] : { type: 'layers' };
  return { ...config, rootfs: { ...rootfs, diff_ids: layers.map(({ diffId }) => diffId) } };
}

const blobName = (digest: string): string => `blobs/sha256/${digest.slice('sha256:'.length)}`;

async function addBlob(
  work: Work,
  mediaType: string,
  content: object,
): Promise<{ mediaType: string; digest: string; size: number }> {
  const text = JSON.stringify(content);
  const digest = digestOf(text);
  await addFile(work, blobName(digest), text);
  return { mediaType, digest, size: Buffer.byteLength(text) };
}

async function addFile({ directory, files }: Work, name: string, content: object | string): Promise<void> {
  await writeFile(join(directory, name), typeof content === 'string' ? content : JSON.stringify(content));
  files.add(name);
}

async function* tarOfFiles({ directory, files, format, signal }: Work): AsyncGenerator<Uint8Array> {
  const directories = format === 'oci' ? ['blobs/', 'blobs/sha256/'] : [];
  for (const name of directories) yield tarHeader({ ...MTIME, type: 'directory', name, mode: 0o755, size: 0 });
  for (const name of files) {
    const path = join(directory, name);
    const { size } = await stat(path);
    yield tarHeader({ ...MTIME, type: 'file', name, mode: 0o644, size });
    for await (const chunk of fileChunks(path)) {
      if (signal?.aborted) throw abortReason(signal);
      yield chunk;
    }
    yield tarPadding(size);
  }
  yield TAR_END;
}

/** @throws invalid-argument for anything but the two forms */
export function exportFormat(text: string): ExportOptions['format'] {
  if (text === 'oci' || text === 'docker') return text;
  throw invalidArgument(`format ${JSON.stringify(text)} is not known: oci and docker are`);
}
