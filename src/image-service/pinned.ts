import { describeError } from '../base/errors.js';
import { globMatcher } from '../base/glob.js';
import type { Logger } from '../base/log.js';
import { formatReference, parseReference } from './registry/reference.js';
import type { ImageRecord } from './types.js';

/**
 * Which images are pinned (CRI, Image.pinned): not to be removed by kubelet's garbage collection. Each is given as a
 * reference, or as a pattern in which `*` stands for anything: `registry.test/base/*`, `*pause*`.
 */
export class Pinned {
  readonly #patterns: readonly ((name: string) => boolean)[];

  constructor(texts: readonly string[], logger: Logger) {
    this.#patterns = texts.flatMap((text) => {
      try {
        return [patternOf(text)];
      } catch (error) {
        logger.warn({ image: text, error: describeError(error) }, 'a pinned image has no valid reference');
        return [];
      }
    });
  }

  /** True if any of the image's names is pinned. */
  has({ repoTags, repoDigests }: Pick<ImageRecord, 'repoTags' | 'repoDigests'>): boolean {
    return [...repoTags, ...repoDigests].some((name) => this.#patterns.some((matches) => matches(name)));
  }
}

function patternOf(text: string): (name: string) => boolean {
  return globMatcher(text.includes('*') ? text : formatReference(parseReference(text)));
}
