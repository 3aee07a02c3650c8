import { hasCode } from '../../base/errors.js';
import { isObject, parseObject, type JsonObject } from '../registry/json.js';

/** What a signature says (cosign's simple signing: the `critical` part of its payload). */
export interface SignedClaim {
  /** Of the manifest. */
  readonly digest: string;
  /** The name under which it was signed. */
  readonly reference: string;
}

const TYPE = 'cosign container image signature';

/** Reads a payload whose signature was verified; undefined if it claims nothing that is known. What is not known in `critical` counts as a restriction. */
export function readClaim(payload: Buffer): SignedClaim | undefined {
  const body = objectOf(payload);
  const critical = only(body, ['critical', 'optional'])?.['critical'];
  const { type, image, identity } = only(critical, ['type', 'image', 'identity']) ?? {};
  const digest = only(image, ['docker-manifest-digest'])?.['docker-manifest-digest'];
  const reference = only(identity, ['docker-reference'])?.['docker-reference'];
  if (type !== TYPE || typeof digest !== 'string' || typeof reference !== 'string') return undefined;
  return { digest, reference };
}

function objectOf(payload: Buffer): JsonObject | undefined {
  try {
    return parseObject(payload.toString('utf8'), 'payload');
  } catch (error) {
    if (hasCode(error, 'data-loss')) return undefined;
    throw error;
  }
}

function only(value: unknown, keys: readonly string[]): JsonObject | undefined {
  return isObject(value) && Object.keys(value).every((key) => keys.includes(key)) ? value : undefined;
}
