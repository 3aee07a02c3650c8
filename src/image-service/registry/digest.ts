import { createHash, type Hash } from 'node:crypto';

/** Hex lengths of the digest algorithms that OCI registers (image-spec, descriptor.md). */
const HEX_LENGTH: Readonly<Record<string, number>> = { sha256: 64, sha384: 96, sha512: 128 };

/** True for `algorithm:hex` of an algorithm that can be verified here. */
export function isDigest(text: string): boolean {
  const [algorithm = '', hex = ''] = text.split(':');
  return text === `${algorithm}:${hex}` && hex.length === HEX_LENGTH[algorithm] && /^[0-9a-f]+$/.test(hex);
}

/** A hash of the same algorithm as `digest`, which must be one. */
export function hashFor(digest: string): Hash {
  return createHash(algorithmOf(digest));
}

export function algorithmOf(digest: string): string {
  return digest.slice(0, digest.indexOf(':'));
}

/** The digest of `data`, by the algorithm of `like`. */
export function digestOf(data: string | Uint8Array, like = 'sha256:'): string {
  const algorithm = algorithmOf(like);
  return `${algorithm}:${createHash(algorithm).update(data).digest('hex')}`;
}

/** Chain ids of layers, base first, from their diff ids (OCI image-spec, config.md, "Layer ChainID"). */
export function chainIds(diffIds: readonly string[]): string[] {
  const chain: string[] = [];
  for (const diffId of diffIds) {
    const parent = chain.at(-1);
    chain.push(parent === undefined ? diffId : digestOf(`${parent} ${diffId}`));
  }
  return chain;
}
