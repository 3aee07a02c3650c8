import { hasCode } from '../../base/errors.js';
import { isObject, parseObject, type JsonObject } from '../registry/json.js';
import { findDuplicateKey } from './strict-json.js';

/** What a signature says (simple signing, cosign's and that of containers' tools: the `critical` part of its payload). */
export interface SignedClaim {
  /** Of the manifest. */
  readonly digest: string;
  /** The name under which it was signed. */
  readonly reference: string;
}

export const COSIGN_TYPE = 'cosign container image signature';
export const SIMPLE_TYPE = 'atomic container signature';

/**
 * Reads a payload whose signature was verified; undefined if it claims nothing that is known, as strictly as other tools: what is
 * not known in `critical` counts as a restriction, and a key that stands twice says two things.
 * @param expected what the signature says that it is
 */
export function readClaim(payload: Buffer, expected: string): SignedClaim | undefined {
  const body = exactly(objectOf(payload), ['critical', 'optional']);
  if (body === undefined || !isOptional(body['optional'])) return undefined;
  const { type, image, identity } = exactly(body['critical'], ['type', 'image', 'identity']) ?? {};
  const digest = exactly(image, ['docker-manifest-digest'])?.['docker-manifest-digest'];
  const reference = exactly(identity, ['docker-reference'])?.['docker-reference'];
  if (type !== expected || typeof digest !== 'string' || typeof reference !== 'string') return undefined;
  return { digest, reference };
}

function objectOf(payload: Buffer): JsonObject | undefined {
  const text = payload.toString('utf8');
  try {
    const body = parseObject(text, 'payload');
    return findDuplicateKey(text) === undefined ? body : undefined;
  } catch (error) {
    if (hasCode(error, 'data-loss')) return undefined;
    throw error;
  }
}

/** `cosign sign` without annotations writes null. */
function isOptional(value: unknown): boolean {
  if (value === null) return true;
  if (!isObject(value)) return false;
  const { creator = '', timestamp = 0 } = value;
  return typeof creator === 'string' && Number.isInteger(timestamp);
}

/** The value if it is an object with all these keys and no other. */
function exactly(value: unknown, keys: readonly string[]): JsonObject | undefined {
  const isExact = isObject(value) && Object.keys(value).toSorted().join() === keys.toSorted().join();
  return isExact ? value : undefined;
}
