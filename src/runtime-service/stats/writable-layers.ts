import { nowNs } from '../../base/clock.js';
import { describeError } from '../../base/errors.js';
import type { Logger } from '../../base/log.js';
import { RecentMap } from './recent-map.js';
import type { TreeMeasurer } from './tree-measurer.js';
import type { TreeUse } from './tree-use.js';

/** What a container's own files take, and when that was counted. */
export interface LayerUse extends TreeUse {
  /** Nanoseconds since the epoch, decimal. */
  readonly timestamp: string;
}

interface Timing {
  /** A result this young serves again. */
  readonly minAgeMs: number;
  /** How long a caller waits for a new one. */
  readonly patienceMs: number;
}

/** A walk is as often as its own duration allows: at most a twentieth of one processor goes to a layer. */
const BUDGET = 20;
const FORGET_MS = 600_000;
const TIMING: Timing = { minAgeMs: 10_000, patienceMs: 1_000 };

interface Entry {
  readonly use: LayerUse | undefined;
  readonly goodUntil: number;
  readonly walk: Promise<LayerUse | undefined> | undefined;
}

/**
 * What writable layers take of the disk. Walking a tree costs, so a result is kept for ten seconds, and longer for a
 * tree that takes long; nobody waits much for a walk: who is too early gets the last result, or none.
 */
export class WritableLayers {
  readonly #entries = new RecentMap<Entry>(FORGET_MS);
  readonly #measurer: TreeMeasurer;
  readonly #logger: Logger;
  readonly #timing: Timing;

  constructor(options: { measurer: TreeMeasurer; logger: Logger; timing?: Timing }) {
    this.#measurer = options.measurer;
    this.#logger = options.logger;
    this.#timing = options.timing ?? TIMING;
  }

  /** @param dir the upper directory of an overlay. Undefined while its first walk takes long, and if it fails. */
  async use(dir: string): Promise<LayerUse | undefined> {
    const entry = this.#entries.get(dir);
    if (entry !== undefined && performance.now() < entry.goodUntil) return entry.use;
    const walk = entry?.walk ?? this.#walk(dir, entry?.use);
    const late = Symbol('late');
    let timer: NodeJS.Timeout | undefined;
    const patience = new Promise<typeof late>((resolve) => {
      timer = setTimeout(() => resolve(late), this.#timing.patienceMs).unref();
    });
    const use = await Promise.race([walk, patience]);
    clearTimeout(timer);
    return use === late ? entry?.use : use;
  }

  #walk(dir: string, last: LayerUse | undefined): Promise<LayerUse | undefined> {
    const begin = performance.now();
    const finish = (use: LayerUse | undefined): LayerUse | undefined => {
      const now = performance.now();
      const goodUntil = now + Math.max(this.#timing.minAgeMs, BUDGET * (now - begin));
      this.#entries.set(dir, { use, goodUntil, walk: undefined });
      return use;
    };
    const walk = this.#measurer.measure(dir).then(
      (use) => finish({ ...use, timestamp: nowNs() }),
      (error: unknown) => {
        this.#logger.warn({ path: dir, error: describeError(error) }, 'cannot measure a writable layer');
        return finish(undefined);
      },
    );
    this.#entries.set(dir, { use: last, goodUntil: 0, walk });
    return walk;
  }
}
