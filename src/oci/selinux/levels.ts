import { randomInt } from 'node:crypto';

/** The categories that policies have for this (MCS). */
const CATEGORIES = 1024;
/** Kept for containers that no other may look into, by those who label so. */
const RESERVED = `s0:c${CATEGORIES - 2},c${CATEGORIES - 1}`;
/** Levels given lately, whose pods may be on no list yet. */
const RECENT = 1024;

/** Levels that keep pods apart: pairs of categories that no other pod has. */
export class PodLevels {
  readonly #recent = new Set<string>();
  readonly #random: (below: number) => number;

  constructor(random: (below: number) => number = (below) => randomInt(below)) {
    this.#random = random;
  }

  /** A level that is not among those in use. */
  take(used: ReadonlySet<string>): string {
    for (;;) {
      const level = this.#pick();
      if (level === undefined || level === RESERVED || used.has(level) || this.#recent.has(level)) continue;
      this.#remember(level);
      return level;
    }
  }

  #pick(): string | undefined {
    const [a, b] = [this.#random(CATEGORIES), this.#random(CATEGORIES)];
    return a === b ? undefined : `s0:c${Math.min(a, b)},c${Math.max(a, b)}`;
  }

  #remember(level: string): void {
    this.#recent.add(level);
    const [oldest] = this.#recent;
    if (this.#recent.size > RECENT && oldest !== undefined) this.#recent.delete(oldest);
  }
}
