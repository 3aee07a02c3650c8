import { dataLoss, failedPrecondition, unimplemented } from '../../base/errors.js';
import { isDigest } from './digest.js';
import { isObject, parseObject, stringOf, textsOf, type JsonObject } from './json.js';
import { CONFIG_TYPES, INDEX_TYPES, isLayerType, isSchema1, MANIFEST_TYPES } from './media-types.js';

/** Content by its digest (OCI image-spec, descriptor.md). */
export interface Descriptor extends BlobName {
  readonly mediaType: string;
}

/** What a blob is asked for by, and checked against. */
export interface BlobName {
  readonly digest: string;
  readonly size: number;
}

export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant: string;
}

export interface IndexEntry extends Descriptor {
  readonly platform?: Platform;
  readonly annotations: JsonObject;
}

export interface Manifest {
  readonly kind: 'manifest';
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly annotations: Readonly<Record<string, string>>;
  /** Of an artifact, which is no container image (OCI image-spec, manifest.md, "Guidelines for Artifact Usage"). */
  readonly artifact?: {
    readonly type: string;
    /** The files that its layers are, in their order. */
    readonly names: readonly string[];
  };
}

export interface Index {
  readonly kind: 'index';
  readonly entries: readonly IndexEntry[];
}

/** Overlayfs stacks at most 500 layers; nobody makes as many, so more is an attack or a mistake. */
const MAX_LAYERS = 500;

/**
 * Reads a manifest or index. `mediaType` is what it came as; where the body says it too, both must agree, or one document
 * could be taken for two things.
 * @throws data-loss if it is malformed; unimplemented for Docker's schema 1; failed-precondition for what is no image.
 */
export function parseManifest(text: string, mediaType: string, what: string): Manifest | Index {
  if (isSchema1(mediaType)) throw schema1(what);
  const body = parseObject(text, what);
  if (body['schemaVersion'] === 1) throw schema1(what);
  const own = stringOf(body['mediaType']);
  if (own !== '' && mediaType !== '' && own !== mediaType)
    throw dataLoss(`${what} came as ${mediaType} but says that it is ${own}`);
  const type = own === '' ? mediaType : own;
  if (INDEX_TYPES.includes(type)) return readIndex(body, what);
  if (MANIFEST_TYPES.includes(type)) return readManifest(body, what);
  throw dataLoss(`${what} has the media type ${JSON.stringify(type)}, which is no image manifest`);
}

function schema1(what: string): Error {
  return unimplemented(
    `${what} is in Docker's schema 1, which is not supported: push the image again with a current tool`,
  );
}

function readIndex(body: JsonObject, what: string): Index {
  const { manifests } = body;
  if (!Array.isArray(manifests) || 'layers' in body || 'config' in body) throw dataLoss(`${what} is no valid index`);
  return { kind: 'index', entries: manifests.map((entry) => readEntry(entry, what)) };
}

function readEntry(value: unknown, what: string): IndexEntry {
  const descriptor = readDescriptor(value, what);
  const { platform, annotations } = isObject(value) ? value : {};
  const known = isObject(annotations) ? annotations : {};
  if (!isObject(platform)) return { ...descriptor, annotations: known };
  const [os, architecture, variant] = ['os', 'architecture', 'variant'].map((key) => stringOf(platform[key]));
  return {
    ...descriptor,
    annotations: known,
    platform: { os: os ?? '', architecture: architecture ?? '', variant: variant ?? '' },
  };
}

function readManifest(body: JsonObject, what: string): Manifest {
  const { layers } = body;
  if (!Array.isArray(layers) || 'manifests' in body) throw dataLoss(`${what} is no valid manifest`);
  if (layers.length > MAX_LAYERS) throw dataLoss(`${what} has ${layers.length} layers, more than ${MAX_LAYERS}`);
  const config = readDescriptor(body['config'], what);
  if (!CONFIG_TYPES.includes(config.mediaType)) return readArtifact(body, { config, layers, what });
  const annotations = textsOf(body['annotations']);
  return { kind: 'manifest', config, layers: layers.map((layer) => readLayer(layer, what)), annotations };
}

const EMPTY_TYPE = 'application/vnd.oci.empty.v1+json';
const TITLE = 'org.opencontainers.image.title';

function readArtifact(
  body: JsonObject,
  { config, layers, what }: { readonly config: Descriptor; readonly layers: readonly unknown[]; readonly what: string },
): Manifest {
  const files = layers.map((layer) => ({ layer: readDescriptor(layer, what), title: titleOf(layer) }));
  const real = files.filter(({ layer, title }) => layer.mediaType !== EMPTY_TYPE || title !== '');
  const names = real.map(({ layer, title }) => checkName(title || layer.digest.replace(':', '-'), what));
  if (new Set(names).size < names.length) throw dataLoss(`${what} has two files of one name`);
  const type = stringOf(body['artifactType']) || config.mediaType;
  const annotations = textsOf(body['annotations']);
  return { kind: 'manifest', config, layers: real.map(({ layer }) => layer), annotations, artifact: { type, names } };
}

function titleOf(layer: unknown): string {
  const annotations = isObject(layer) ? layer['annotations'] : undefined;
  return isObject(annotations) ? stringOf(annotations[TITLE]) : '';
}

/** A relative path of plain names, none of which would hide another (OCI image-spec, layer.md, "Whiteouts"). */
function checkName(name: string, what: string): string {
  const parts = name.split('/');
  const plain = parts.every((part) => part !== '' && part !== '.' && part !== '..' && !part.startsWith('.wh.'));
  // eslint-disable-next-line no-control-regex -- these are what it is about
  if (plain && !/[\x00-\x1f\x7f]/.test(name) && Buffer.byteLength(name) <= 255) return name;
  throw dataLoss(`${what} has a file with the name ${JSON.stringify(name.slice(0, 300))}`);
}

function readLayer(value: unknown, what: string): Descriptor {
  const layer = readDescriptor(value, what);
  if (isLayerType(layer.mediaType)) return layer;
  throw failedPrecondition(`${what} has a layer of the unknown type ${JSON.stringify(layer.mediaType)}`);
}

function readDescriptor(value: unknown, what: string): Descriptor {
  if (!isObject(value)) throw dataLoss(`${what} has a malformed descriptor`);
  const { digest, size } = value;
  if (typeof digest !== 'string' || !isDigest(digest))
    throw dataLoss(`${what} has the malformed digest ${JSON.stringify(digest)}`);
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0)
    throw dataLoss(`${what} has the malformed size ${JSON.stringify(size)} for ${digest}`);
  return { mediaType: stringOf(value['mediaType']), digest, size };
}
