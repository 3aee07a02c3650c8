import { dataLoss } from '../../base/errors.js';
import type { ImageConfig } from '../types.js';
import { isDigest } from './digest.js';
import { isObject, parseObject, stringOf, stringsOf, type JsonObject } from './json.js';

/** What is read of an image's configuration (OCI image-spec, config.md; Docker's has the same keys). */
export interface ImageDocument {
  readonly config: ImageConfig;
  /** Digests of the uncompressed layers, base first. */
  readonly diffIds: readonly string[];
  /** What it says that it is for, which may be wrong; empty where it says nothing. */
  readonly platform: { readonly os: string; readonly architecture: string };
}

/** @throws data-loss if it is malformed. */
export function parseImageConfig(text: string, what: string): ImageDocument {
  const body = parseObject(text, what);
  const { config, rootfs } = body;
  const diffIds = isObject(rootfs) ? rootfs['diff_ids'] : undefined;
  if (!Array.isArray(diffIds)) throw dataLoss(`${what} lists no layers`);
  return {
    config: readConfig(isObject(config) ? config : {}),
    diffIds: diffIds.map((id) => checkDiffId(id, what)),
    platform: { os: stringOf(body['os']), architecture: stringOf(body['architecture']) },
  };
}

function checkDiffId(id: unknown, what: string): string {
  if (typeof id === 'string' && isDigest(id)) return id;
  throw dataLoss(`${what} has the malformed layer digest ${JSON.stringify(id)}`);
}

/** Of what is not to be run. */
export const NO_CONFIG: ImageConfig = readConfig({});

function readConfig(config: JsonObject): ImageConfig {
  const { Labels: labels, Volumes: volumes } = config;
  return {
    user: stringOf(config['User']),
    // What has no name, or no value, sets nothing; with a NUL it cannot be in an environment.
    env: stringsOf(config['Env']).filter((entry) => entry.indexOf('=') > 0 && !entry.includes('\0')),
    entrypoint: stringsOf(config['Entrypoint']),
    cmd: stringsOf(config['Cmd']),
    workingDir: stringOf(config['WorkingDir']),
    stopSignal: stringOf(config['StopSignal']),
    volumes: isObject(volumes) ? Object.keys(volumes) : [],
    labels: isObject(labels)
      ? Object.fromEntries(Object.entries(labels).map(([key, value]) => [key, stringOf(value)]))
      : {},
  };
}
