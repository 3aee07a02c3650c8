import { describeError } from '../base/errors.js';
import type { Logger } from '../base/log.js';
import { formatReference, parseReference } from './registry/reference.js';
import type { ImageRecord } from './types.js';

/**
 * Which images are pinned (CRI, Image.pinned): not to be removed by kubelet's garbage collection. Each is given as a
 * reference, or as a pattern in which `*` stands for anything: `registry.test/base/*`, `*pause*`.
 */
export class Pinned {
  readonly #patterns: readonly RegExp[];

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
    return [...repoTags, ...repoDigests].some((name) => this.#patterns.some((pattern) => pattern.test(name)));
  }
}

/** Stars in a row are one: many would take the expression forever. */
function patternOf(text: string): RegExp {
  const whole = text.includes('*') ? text : formatReference(parseReference(text));
  const parts = whole.split(/\*+/).map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`);
}
