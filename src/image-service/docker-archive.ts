import { realpath } from 'node:fs/promises';
import { join } from 'node:path';

import { dataLoss } from '../base/errors.js';
import type { UnpackPool } from './layers/unpack-pool.js';
import { readDocument } from './layout-files.js';
import { digestOf } from './registry/digest.js';
import { isObject, stringOf, stringsOf } from './registry/json.js';
import type { Descriptor, Manifest } from './registry/manifest.js';
import { CONFIG_TYPES } from './registry/media-types.js';

/** An image of a `docker save` archive. */
export interface ArchivedImage {
  readonly manifest: Manifest;
  readonly configJson: string;
  readonly tags: readonly string[];
  /** The file of each layer, by the digest that `manifest` has for it. */
  readonly files: ReadonlyMap<string, string>;
}

export interface ArchiveSource {
  readonly directory: string;
  /** Hashes the layers, which takes long. */
  readonly pool: UnpackPool;
  /** What the user called it. */
  readonly what: string;
}

/**
 * Reads the images of an unpacked docker-archive (`manifest.json`); undefined if it is none.
 * @throws data-loss naming what is malformed or missing; nothing outside `directory` is read
 */
export async function readDockerArchive(source: ArchiveSource): Promise<ArchivedImage[] | undefined> {
  const { directory, what } = source;
  const text = await readDocument(join(directory, 'manifest.json'));
  if (text === undefined) return undefined;
  const images: ArchivedImage[] = [];
  for (const entry of parseEntries(text, `${what}: manifest.json`)) images.push(await readImage(source, entry));
  return images;
}

interface Entry {
  readonly config: string;
  readonly layers: readonly string[];
  readonly tags: readonly string[];
}

function parseEntries(text: string, where: string): Entry[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw dataLoss(`${where} is not JSON`);
  }
  if (!Array.isArray(value) || value.length === 0 || !value.every(isObject)) throw dataLoss(`${where} lists no images`);
  return value.map((entry) => ({
    config: stringOf(entry['Config']),
    layers: stringsOf(entry['Layers']),
    tags: stringsOf(entry['RepoTags']),
  }));
}

async function readImage({ directory, pool, what }: ArchiveSource, entry: Entry): Promise<ArchivedImage> {
  const configJson = await readDocument(await fileIn(directory, entry.config, what));
  if (configJson === undefined) throw dataLoss(`${what} lacks ${entry.config}`);
  const config = describe(CONFIG_TYPES[1] ?? '', digestOf(configJson), Buffer.byteLength(configJson));
  const files = new Map<string, string>();
  const layers: Descriptor[] = [];
  for (const name of entry.layers) {
    const path = await fileIn(directory, name, what);
    const { digest, size } = await pool.digest(path);
    const layer = describe('', digest, size);
    files.set(layer.digest, path);
    layers.push(layer);
  }
  return { manifest: { kind: 'manifest', config, layers, annotations: {} }, configJson, tags: entry.tags, files };
}

function describe(mediaType: string, digest: string, size: number): Descriptor {
  return { mediaType, digest, size };
}

/** A file of the archive, where links lead: old archives have one file for equal layers. */
async function fileIn(directory: string, name: string, what: string): Promise<string> {
  const root = await realpath(directory);
  const path = await realpath(join(root, name)).catch((error: unknown) => {
    throw dataLoss(`${what} lacks ${JSON.stringify(name)}`, error);
  });
  if (path.startsWith(`${root}/`)) return path;
  throw dataLoss(`${what}: ${JSON.stringify(name)} leads out of the archive`);
}
