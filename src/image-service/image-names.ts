import { formatReference, nameOf, parseReference, type Reference } from './registry/reference.js';
import type { ImageRecord } from './types.js';

/**
 * The names that stand for an image of which somebody asked for one of `names` (several for a short name), or for its id.
 * A name that the image has lost meanwhile is still what it was asked for by.
 */
export function namesOfImage(
  image: ImageRecord | undefined,
  asked: { readonly imageId: string; readonly names: readonly string[] },
): { readonly name: string; readonly digested: string } {
  const { repoTags = [], repoDigests = [] } = image ?? {};
  const known = [...repoTags, ...repoDigests];
  const references = asked.names.map(referenceIn).filter((reference) => reference !== undefined);
  const complete = references.map(formatReference);
  const name = complete.find((each) => known.includes(each)) ?? complete[0] ?? known[0] ?? asked.imageId;
  const repository = referenceIn(name);
  const digested = repoDigests.find((each) => repository !== undefined && each.startsWith(`${nameOf(repository)}@`));
  return { name, digested: digested ?? repoDigests[0] ?? asked.imageId };
}

/** The complete reference; an id is none. */
export function completeName(text: string): string {
  const reference = referenceIn(text);
  return reference === undefined ? text : formatReference(reference);
}

/** What is no reference may be an id, also one without its algorithm, or the start of one. */
function referenceIn(text: string): Reference | undefined {
  if (/^(?:sha256:)?[0-9a-f]+$/.test(text)) return undefined;
  try {
    return parseReference(text);
  } catch {
    return undefined;
  }
}
