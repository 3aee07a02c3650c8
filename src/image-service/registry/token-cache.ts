import { createHash } from 'node:crypto';

import { BoundedMap } from '../../base/bounded-map.js';

export interface Token {
  readonly text: string;
  readonly lifetimeMs: number;
}

interface Kept {
  readonly text: string;
  readonly until: number;
}

const MAX_TOKENS = 1_000;
/** Tokens are let go a while before they end: a request takes its time. */
const MARGIN_MS = 10_000;

/** Access tokens, for as long as their servers say, by what they were asked for with: nobody gets another's. */
export class TokenCache {
  readonly #kept = new BoundedMap<string, Kept>(MAX_TOKENS);
  readonly #now: () => number;

  constructor(now: () => number = performance.now.bind(performance)) {
    this.#now = now;
  }

  find(request: object): string | undefined {
    const kept = this.#kept.get(keyOf(request));
    return kept !== undefined && kept.until > this.#now() ? kept.text : undefined;
  }

  keep(request: object, { text, lifetimeMs }: Token): void {
    this.#kept.set(keyOf(request), { text, until: this.#now() + lifetimeMs - MARGIN_MS });
  }

  /** Lets a token go that was refused before its time. */
  forget(request: object): void {
    this.#kept.delete(keyOf(request));
  }
}

/** Not the credentials themselves: keys of maps end up in heap dumps as they are. */
function keyOf(request: object): string {
  return createHash('sha256').update(JSON.stringify(request)).digest('base64');
}
