import { randomBytes } from 'node:crypto';

import { resourceExhausted } from '../../base/errors.js';
import type { StreamTarget } from './types.js';

interface Entry {
  readonly target: StreamTarget;
  readonly expires: number;
}

const TOKEN_BYTES = 16;
const LIFE_MS = 60_000;
/** As the peers: kubelet asks for one at a time. */
const MAX_TOKENS = 1000;

/** What the URLs stand for that nobody has come with yet. A token cannot be guessed, is valid once, and for a minute. */
export class Tokens {
  readonly #entries = new Map<string, Entry>();
  readonly #now: () => number;

  constructor(now = (): number => performance.now()) {
    this.#now = now;
  }

  /** @throws resource-exhausted if too many clients have not come yet */
  add(target: StreamTarget): string {
    this.#expire();
    if (this.#entries.size >= MAX_TOKENS)
      throw resourceExhausted(`${MAX_TOKENS} streams wait for their clients already`);
    const token = randomBytes(TOKEN_BYTES).toString('base64url');
    this.#entries.set(token, { target, expires: this.#now() + LIFE_MS });
    return token;
  }

  /** What the token stands for; undefined for one that is unknown, used or too old. */
  find(token: string): StreamTarget | undefined {
    this.#expire();
    return this.#entries.get(token)?.target;
  }

  /** {@link find}, for the last time. */
  take(token: string): StreamTarget | undefined {
    const target = this.find(token);
    this.#entries.delete(token);
    return target;
  }

  /** The map is in the order of time. */
  #expire(): void {
    const now = this.#now();
    for (const [token, { expires }] of this.#entries) {
      if (expires > now) return;
      this.#entries.delete(token);
    }
  }
}
