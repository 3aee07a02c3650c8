import { codeOf, invalidArgument } from '../base/errors.js';
import { formatReference, parseReference } from './registry/reference.js';
import type { ImageRecord } from './types.js';

const ID = /^(?:sha256:)?([0-9a-f]{1,64})$/;

/**
 * Finds an image by its id, by a tag or digest, or by the start of its id, in this order.
 * @throws invalid-argument for what can name no image, or several
 */
export function findImage(images: readonly ImageRecord[], text: string): ImageRecord | undefined {
  const hex = ID.exec(text)?.[1];
  const name = referenceOf(text, hex !== undefined);
  return images.find(({ id }) => id === `sha256:${hex ?? ''}`) ?? byName(images, name) ?? byPrefix(images, hex, text);
}

function byName(images: readonly ImageRecord[], name: string | undefined): ImageRecord | undefined {
  if (name === undefined) return undefined;
  return images.find(({ repoTags, repoDigests }) => repoTags.includes(name) || repoDigests.includes(name));
}

function byPrefix(images: readonly ImageRecord[], hex: string | undefined, text: string): ImageRecord | undefined {
  if (hex === undefined) return undefined;
  const found = images.filter(({ id }) => id.startsWith(`sha256:${hex}`));
  if (found.length > 1) throw invalidArgument(`image ${JSON.stringify(text)} is the start of ${found.length} ids`);
  return found[0];
}

/** The complete reference; what is no reference must at least be an id. */
function referenceOf(text: string, isId: boolean): string | undefined {
  try {
    return formatReference(parseReference(text));
  } catch (error) {
    if (isId && codeOf(error) === 'invalid-argument') return undefined;
    throw error;
  }
}
