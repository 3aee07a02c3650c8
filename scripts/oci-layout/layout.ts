import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { dataLoss } from '../../src/base/errors.js';
import { descriptor, sha256, type Blob, type Descriptor } from './blob.js';
import type { Image } from './image.js';

/** The full name of an image in index.json, as containerd's importer reads it. */
export const NAME_ANNOTATION = 'io.containerd.image.name';
/** The tag, as OCI image-spec has it (annotations.md); tools that know no full names read this one. */
export const REF_ANNOTATION = 'org.opencontainers.image.ref.name';

export interface NamedImage {
  /** Host, path and tag: `registry.k8s.io/pause:3.9`. */
  readonly name: string;
  readonly image: Image;
}

/** Writes images into one OCI image layout (OCI image-spec, image-layout.md); what they share is there once. */
export async function writeLayout(dir: string, images: readonly NamedImage[]): Promise<void> {
  await mkdir(join(dir, 'blobs', 'sha256'), { recursive: true });
  const blobs = images.flatMap(({ image }) => [...image.blobs, ...image.manifests]);
  for (const [digest, { data }] of new Map(blobs.map((each) => [each.digest, each]))) {
    await writeFile(blobPath(dir, digest), data);
  }
  await writeJsonFile(join(dir, 'oci-layout'), { imageLayoutVersion: '1.0.0' });
  await writeJsonFile(join(dir, 'index.json'), {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.index.v1+json',
    manifests: images.map(({ name, image }) => ({ ...descriptor(image.root), annotations: annotations(name) })),
  });
}

/** An image of a layout on disk. */
export interface ImageLayout {
  readonly name: string;
  readonly dir: string;
  readonly root: Descriptor;
}

/** The images that {@link writeLayout} wrote. */
export async function readLayout(dir: string): Promise<ImageLayout[]> {
  const index = JSON.parse(await readFile(join(dir, 'index.json'), 'utf8')) as { manifests: Descriptor[] };
  return index.manifests.map((root) => ({ name: root.annotations?.[NAME_ANNOTATION] ?? '', dir, root }));
}

/**
 * Reads what a descriptor names.
 * @throws data-loss if the content has another digest.
 */
export async function readBlob(dir: string, { mediaType, digest }: Descriptor): Promise<Blob> {
  const path = blobPath(dir, digest);
  const data = await readFile(path);
  if (sha256(data) !== digest) throw dataLoss(`${path} does not hold what its name says`);
  return { mediaType, digest, data };
}

function blobPath(dir: string, digest: string): string {
  return join(dir, 'blobs', ...digest.split(':'));
}

function annotations(name: string): Record<string, string> {
  return { [NAME_ANNOTATION]: name, [REF_ANNOTATION]: name.slice(name.lastIndexOf(':') + 1) };
}

async function writeJsonFile(path: string, value: object): Promise<void> {
  await writeFile(path, `${JSON.stringify(value)}\n`);
}
