import { dataLoss, failedPrecondition, unimplemented } from '../../base/errors.js';
import { isDigest } from './digest.js';
import { isObject, parseObject, stringOf, textsOf, type JsonObject } from './json.js';
import { CONFIG_TYPES, INDEX_TYPES, isLayerType, isSchema1, MANIFEST_TYPES } from './media-types.js';

/** Content by its digest (OCI image-spec, descriptor.md). */
export interface Descriptor {
  readonly mediaType: string;
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
  if (!CONFIG_TYPES.includes(config.mediaType))
    throw failedPrecondition(`${what} is no container image: its configuration is ${JSON.stringify(config.mediaType)}`);
  const annotations = textsOf(body['annotations']);
  return { kind: 'manifest', config, layers: layers.map((layer) => readLayer(layer, what)), annotations };
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
