import { dataLoss } from '../base/errors.js';
import { isDigest } from './registry/digest.js';
import { NO_CONFIG, parseImageConfig } from './registry/image-config.js';
import { stringsOf, textsOf } from './registry/json.js';
import type { ImageRecord } from './types.js';

/** Checks what an image's record file holds; what follows from the configuration is read from it anew. @throws data-loss */
export function parseImageRecord(value: Record<string, unknown>): ImageRecord {
  const { id, state, configJson, size, updatedAt } = value;
  if (typeof id !== 'string' || !isDigest(id)) throw dataLoss('the record has no image id');
  if (state !== 'listed' && state !== 'removed') throw dataLoss('the record has no state');
  if (typeof configJson !== 'string') throw dataLoss('the record has no image configuration');
  if (typeof size !== 'number' || typeof updatedAt !== 'string' || !/^[0-9]+$/.test(updatedAt))
    throw dataLoss('the record has no size or time');
  const { artifactType } = value;
  const artifact = typeof artifactType === 'string' ? { artifactType } : {};
  const { config } = 'artifactType' in artifact ? { config: NO_CONFIG } : parseImageConfig(configJson, `image ${id}`);
  const [repoTags, repoDigests, chain] = ['repoTags', 'repoDigests', 'chain'].map((key) => stringsOf(value[key]));
  return {
    id,
    state,
    config,
    ...artifact,
    configJson,
    size,
    updatedAt,
    repoTags: repoTags ?? [],
    repoDigests: repoDigests ?? [],
    chain: chain ?? [],
    annotations: textsOf(value['annotations']),
  };
}

/** The file name of an image's record. */
export function recordName(id: string): string {
  return id.replace(':', '-');
}
