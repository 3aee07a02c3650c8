import { BoundedMap } from '../../base/bounded-map.js';
import { describeError } from '../../base/errors.js';
import type { Logger } from '../../base/log.js';

export interface BreakerOptions {
  readonly logger: Logger;
  /** How long a server that failed is asked last; doubled each time that it fails right after. */
  readonly pauseMs?: number;
  readonly now?: () => number;
}

interface Trouble {
  readonly failures: number;
  readonly until: number;
  readonly why: string;
}

/** A server that is asked last for now. */
export interface ServerTrouble {
  readonly server: string;
  readonly why: string;
  readonly forSeconds: number;
}

const PAUSE_MS = 60_000;
const LONGEST_PAUSES = 10;
const MAX_SERVERS = 1_000;

/**
 * Remembers across pulls which servers gave no answer, so that not each pull and each layer waits for a dead mirror. Such a
 * server is asked after all others, not never: it may be the only one that has the image.
 */
export class Breaker {
  readonly #options: BreakerOptions;
  readonly #troubles = new BoundedMap<string, Trouble>(MAX_SERVERS);

  constructor(options: BreakerOptions) {
    this.#options = options;
  }

  /** Why a server is asked last, and for how many milliseconds more. */
  trouble(base: string): { readonly why: string; readonly forMs: number } | undefined {
    const trouble = this.#troubles.get(base);
    const forMs = (trouble?.until ?? 0) - this.#now();
    return trouble === undefined || forMs <= 0 ? undefined : { why: trouble.why, forMs };
  }

  /** All servers in trouble. */
  all(): ServerTrouble[] {
    return [...this.#troubles.keys()].flatMap((server) => {
      const trouble = this.trouble(server);
      return trouble === undefined ? [] : [{ server, why: trouble.why, forSeconds: Math.ceil(trouble.forMs / 1000) }];
    });
  }

  /** The same list with the servers in trouble last. */
  inOrder<T extends { readonly endpoint: { readonly base: string } }>(list: readonly T[]): T[] {
    const isDown = ({ endpoint }: T): number => Number(this.trouble(endpoint.base) !== undefined);
    return list.toSorted((a, b) => isDown(a) - isDown(b));
  }

  succeeded(base: string): void {
    if (this.#troubles.delete(base)) this.#options.logger.info({ server: base }, 'a registry server answers again');
  }

  /** Failures of requests that were under way together count once. */
  failed(base: string, error: unknown, retryAfterMs: number): void {
    if (this.trouble(base) !== undefined) return;
    const { logger, pauseMs = PAUSE_MS } = this.#options;
    const failures = (this.#troubles.get(base)?.failures ?? 0) + 1;
    const forMs = Math.max(retryAfterMs, pauseMs * Math.min(2 ** (failures - 1), LONGEST_PAUSES));
    const why = describeError(error);
    this.#troubles.set(base, { failures, until: this.#now() + forMs, why });
    logger.warn(
      { server: base, seconds: Math.round(forMs / 1000), error: why },
      'a registry server is asked last for a while',
    );
  }

  #now(): number {
    return (this.#options.now ?? performance.now.bind(performance))();
  }
}
