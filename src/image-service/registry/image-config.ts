import { dataLoss, notFound } from '../../base/errors.js';
import type { ImageConfig } from '../types.js';
import { isDigest } from './digest.js';
import { isObject, parseObject, stringOf, stringsOf, type JsonObject } from './json.js';
import { HOST_ARCHITECTURE } from './platform.js';

/** What is read of an image's configuration (OCI image-spec, config.md; Docker's has the same keys). */
export interface ImageDocument {
  readonly config: ImageConfig;
  /** Digests of the uncompressed layers, base first. */
  readonly diffIds: readonly string[];
}

/**
 * @throws data-loss if it is malformed; not-found if the image is for another kind of machine.
 */
export function parseImageConfig(text: string, what: string): ImageDocument {
  const body = parseObject(text, what);
  checkPlatform(body, what);
  const { config, rootfs } = body;
  const diffIds = isObject(rootfs) ? rootfs['diff_ids'] : undefined;
  if (!Array.isArray(diffIds)) throw dataLoss(`${what} lists no layers`);
  return { config: readConfig(isObject(config) ? config : {}), diffIds: diffIds.map((id) => checkDiffId(id, what)) };
}

function checkPlatform(body: JsonObject, what: string): void {
  const os = stringOf(body['os']) || 'linux';
  const architecture = stringOf(body['architecture']) || HOST_ARCHITECTURE;
  if (os === 'linux' && architecture === HOST_ARCHITECTURE) return;
  throw notFound(`${what} is for ${os}/${architecture}, this machine is linux/${HOST_ARCHITECTURE}`);
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
    env: stringsOf(config['Env']),
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
