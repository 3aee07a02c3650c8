import { realpath, stat } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';

import {
  describeError,
  failedPrecondition,
  hasCode,
  invalidArgument,
  notFound,
  signatureRefused,
  wrapError,
} from '../base/errors.js';
import type { Logger } from '../base/log.js';
import { readDockerArchive, type ArchivedImage } from './docker-archive.js';
import type { ImageNames, ImageStore } from './image-store.js';
import { installImage, type InstallOptions } from './install-image.js';
import type { LayerStore } from './layers/layer-store.js';
import type { UnpackPool } from './layers/unpack-pool.js';
import { readBlob, readBlobText, readDocument, fileChunks } from './layout-files.js';
import type { Progress } from './progress.js';
import { digestOf } from './registry/digest.js';
import { followIndexes } from './registry/follow-indexes.js';
import { stringOf } from './registry/json.js';
import { parseManifest, type Index, type IndexEntry, type Manifest } from './registry/manifest.js';
import { INDEX_TYPES } from './registry/media-types.js';
import { choosePlatform } from './registry/platform.js';
import { formatReference, nameOf, parseReference } from './registry/reference.js';
import { signedRequirements } from './trust/check-signed.js';
import type { SignaturePolicy } from './trust/signature-policy.js';
import type { ImageRecord } from './types.js';

export interface ImportContext {
  readonly images: ImageStore;
  readonly layers: LayerStore;
  readonly pool: UnpackPool;
  readonly trust: SignaturePolicy;
  readonly progress: Progress;
  readonly logger: Logger;
}

export interface ImportOptions {
  /** Name for the image, for a layout that holds one image and names it not, or not so. */
  readonly name?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called with what the progress of each image is asked for by, when its fetch begins. */
  readonly onFetch?: ((key: string) => void) | undefined;
}

/** Annotations that name an image: containerd's with the whole reference, OCI's with that or only a tag. */
const FULL_NAME = 'io.containerd.image.name';
const REF_NAME = 'org.opencontainers.image.ref.name';

/**
 * Imports the images of an OCI layout (image-spec, image-layout.md) that are for this machine, or those of a
 * docker-archive; either may be a directory or a tar archive.
 * @throws invalid-argument if there is no layout; not-found if it has nothing for this machine
 */
export async function importLayout(
  context: ImportContext,
  path: string,
  options: ImportOptions = {},
): Promise<ImageRecord[]> {
  if (!isAbsolute(path)) throw invalidArgument(`path ${JSON.stringify(path)} must be absolute`);
  try {
    return await importPath(context, path, options);
  } catch (error) {
    throw describeError(error).includes(path) ? error : wrapError(error, `import ${path}`);
  }
}

async function importPath(context: ImportContext, path: string, options: ImportOptions): Promise<ImageRecord[]> {
  const source = { what: path, place: await placeOf(path) };
  const stats = await stat(source.place);
  if (stats.isDirectory())
    return importDirectory(context, { ...options, ...source, directory: source.place, kind: 'oci' });
  if (!stats.isFile()) throw invalidArgument(`${path} is neither a directory nor a file`);
  return importArchive(context, source, options);
}

/** Where links and `..` lead: a policy's scopes are such paths, and what they say must hold for what is read. */
async function placeOf(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    throw invalidArgument(`${path} cannot be read`, error);
  }
}

type Source = Pick<Layout, 'what' | 'place'>;

/** By their first bytes, in hex; gzip and zstd are read. */
const OTHER_COMPRESSION = { xz: 'fd377a585a00', bzip2: '425a68' };

async function refuseCompression({ what, place }: Source): Promise<void> {
  let start = '';
  for await (const chunk of fileChunks(place)) {
    start = Buffer.from(chunk.subarray(0, 6)).toString('hex');
    break;
  }
  for (const [name, magic] of Object.entries(OTHER_COMPRESSION))
    if (start.startsWith(magic)) throw invalidArgument(`${what} is compressed by ${name}: gzip and zstd are read`);
}

async function importArchive(context: ImportContext, source: Source, options: ImportOptions): Promise<ImageRecord[]> {
  await refuseCompression(source);
  const { path: directory } = context.layers.ingestPath();
  const lowers = (): Promise<string[]> => Promise.resolve([]);
  try {
    await context.pool.unpack({ source: fileChunks(source.place), directory, lowers, signal: options.signal });
    return await importDirectory(context, { ...options, ...source, directory, kind: 'oci-archive' });
  } finally {
    context.layers.discard(directory);
  }
}

interface Layout extends ImportOptions {
  readonly directory: string;
  /** What the user called it. */
  readonly what: string;
  /** Its path without links. */
  readonly place: string;
  /** What containers' tools call a layout that is a directory, or a file. */
  readonly kind: 'oci' | 'oci-archive';
}

async function importDirectory(context: ImportContext, layout: Layout): Promise<ImageRecord[]> {
  const archived = await archivedImages(context.pool, layout);
  await refuseUntrusted(context, layout, archived === undefined ? layout.kind : 'docker-archive');
  if (archived !== undefined) return importArchived(context, layout, archived);
  const entries = await imagesOf(layout);
  refuseOneName(layout, entries.length);
  const imported: ImageRecord[] = [];
  for (const entry of entries) imported.push(await importImage(context, layout, entry));
  return imported;
}

/** Files bring no signatures that could be checked, so where the policy asks for some they are refused. */
async function refuseUntrusted({ trust }: ImportContext, { what, place }: Layout, transport: string): Promise<void> {
  const rule = await trust.ruleForFile(transport, place);
  if (signedRequirements(rule, what).length === 0) return;
  throw signatureRefused(`${what} must be signed, says ${rule.from}, and has no signatures that could be checked`);
}

function refuseOneName({ name, what }: Layout, count: number): void {
  if (name !== undefined && count > 1)
    throw invalidArgument(`${what} holds ${count} images, so they cannot all be called ${name}`);
}

/** What Docker saves since 2024 is both: a layout says more. */
async function archivedImages(pool: UnpackPool, { directory, what }: Layout): Promise<ArchivedImage[] | undefined> {
  const isLayout = (await readDocument(join(directory, 'index.json'))) !== undefined;
  return isLayout ? undefined : readDockerArchive({ directory, pool, what });
}

async function importArchived(
  context: ImportContext,
  layout: Layout,
  archived: readonly ArchivedImage[],
): Promise<ImageRecord[]> {
  refuseOneName(layout, archived.length);
  const imported: ImageRecord[] = [];
  for (const { manifest, configJson, tags, files } of archived) {
    const names = layout.name === undefined ? tags : [layout.name];
    const fetchLayer: FetchLayer = (layer, unpack) => unpack(fileChunks(files.get(layer.digest) ?? ''));
    const content = { manifest, configJson, fetchLayer, chosen: false };
    const complete = names.map((name) => taggedName(name, layout.what));
    imported.push(await install(context, layout, { content, names: { tags: complete, digests: [] } }));
  }
  return imported;
}

type FetchLayer = InstallOptions['fetchLayer'];

interface LayoutImage {
  readonly entry: IndexEntry;
  readonly manifest: Manifest;
  /** An index named its platform. */
  readonly chosen: boolean;
}

async function imagesOf(layout: Layout): Promise<LayoutImage[]> {
  const text = await readDocument(join(layout.directory, 'index.json'));
  if (text === undefined)
    throw invalidArgument(
      `${layout.what} is no OCI layout: it has no index.json, nor the manifest.json of a docker-archive`,
    );
  const index = parseManifest(text, INDEX_TYPES[0] ?? '', `${layout.what}: index.json`);
  const entries = index.kind === 'index' ? index.entries : [];
  const found = await Promise.all(entries.map((entry) => manifestFor(layout, entry, entries.length === 1)));
  const images = found.filter((image) => image !== undefined);
  if (images.length === 0) throw notFound(`${layout.what} has no image for this machine`);
  return images;
}

/** The manifest that an entry of the layout's index leads to; undefined if it is not for this machine. */
async function manifestFor(layout: Layout, entry: IndexEntry, only: boolean): Promise<LayoutImage | undefined> {
  try {
    choosePlatform({ kind: 'index', entries: [entry] }, layout.what);
    return { entry, ...(await findManifest(layout, entry)) };
  } catch (error) {
    if (only || !hasCode(error, 'not-found')) throw error;
    return undefined;
  }
}

async function findManifest(layout: Layout, entry: IndexEntry): Promise<Omit<LayoutImage, 'entry'>> {
  const get = async (wanted: IndexEntry): Promise<Document> => ({
    ...{ text: await readBlobText(layout.directory, wanted), mediaType: wanted.mediaType },
    what: `${layout.what}: manifest ${wanted.digest}`,
  });
  const parse = ({ text, mediaType, what }: Document): Index | Manifest => parseManifest(text, mediaType, what);
  const { manifest, document, chosen } = await followIndexes(await get(entry), { get, parse, what: layout.what });
  return { manifest: refuseArtifact(manifest, document.what), chosen: chosen || entry.platform !== undefined };
}

interface Document {
  readonly text: string;
  readonly mediaType: string;
  readonly what: string;
}

let counter = 0;

async function importImage(
  context: ImportContext,
  layout: Layout,
  { entry, manifest, chosen }: LayoutImage,
): Promise<ImageRecord> {
  const names = layout.name === undefined ? namesOf(entry) : namesGiven(layout.name, entry.digest);
  const configJson = await readBlobText(layout.directory, manifest.config);
  const fetchLayer: FetchLayer = (layer, unpack) => unpack(readBlob(layout.directory, layer));
  return install(context, layout, { content: { manifest, configJson, fetchLayer, chosen }, names });
}

async function install(
  { layers, images, progress, logger }: ImportContext,
  layout: Layout,
  image: {
    content: Pick<InstallOptions, 'manifest' | 'configJson' | 'fetchLayer' | 'chosen'>;
    names: ImageNames;
  },
): Promise<ImageRecord> {
  const owner = `import:${counter++}`;
  const signal = layout.signal ?? new AbortController().signal;
  const what = `${layout.what}: image ${digestOf(image.content.configJson)}`;
  layout.onFetch?.(owner);
  try {
    const options = { ...image.content, layers, progress, logger, progressKey: owner, what, owner, signal };
    return await images.add(await installImage(options), image.names);
  } finally {
    layers.release(owner);
  }
}

/** A bare tag names nothing by itself, so such an image is known by its id only. */
function namesOf({ annotations, digest }: IndexEntry): ImageNames {
  const name = stringOf(annotations[FULL_NAME]) || stringOf(annotations[REF_NAME]);
  return /[/:]/.test(name) ? namesFor(name, digest) : { tags: [], digests: [] };
}

/** The digests of an archive of Docker are gone, so it must not answer to any. */
function taggedName(name: string, what: string): string {
  const reference = parseReference(name);
  if (reference.digest === undefined) return formatReference(reference);
  throw invalidArgument(`${what} is a docker-archive, whose images have no digests, so none is ${name}`);
}

function namesGiven(text: string, digest: string): ImageNames {
  const { digest: wanted = digest } = parseReference(text);
  if (wanted === digest) return namesFor(text, digest);
  throw invalidArgument(`the image cannot be called ${text}, its digest is ${digest}`);
}

function namesFor(text: string, digest: string): ImageNames {
  const reference = parseReference(text);
  const tags = reference.digest === undefined ? [formatReference(reference)] : [];
  return { tags, digests: [`${nameOf(reference)}@${digest}`] };
}

function refuseArtifact(manifest: Manifest, what: string): Manifest {
  if (manifest.artifact === undefined) return manifest;
  throw failedPrecondition(`${what} is an OCI artifact, which is pulled, not imported`);
}
