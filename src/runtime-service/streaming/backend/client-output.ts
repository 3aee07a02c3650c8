import type { Writable } from 'node:stream';

import { resourceExhausted, type GantryError } from '../../../base/errors.js';

export interface OutputLimits {
  /** Bytes that may wait for the client. */
  readonly bytes: number;
  /** How long it may take none of them. */
  readonly stallMs: number;
}

const LIMITS: OutputLimits = { bytes: 8 << 20, stallMs: 10_000 };

/**
 * One output of a container on its way to one client. It takes everything at once, since the container must not wait;
 * a client that falls too far behind, or takes nothing for a while, is lost.
 */
export class ClientOutput {
  /** Rejects when the client is lost; never settles else. */
  readonly lost: Promise<never>;
  readonly #sink: Writable | undefined;
  readonly #limits: OutputLimits;
  readonly #what: string;
  #queue: Buffer[] = [];
  #bytes = 0;
  #stall: NodeJS.Timeout | undefined;
  #waits = false;
  #lose!: (error: GantryError) => void;
  #flushed: (() => void) | undefined;

  constructor(sink: Writable | undefined, containerId: string, limits: OutputLimits = LIMITS) {
    this.#sink = sink;
    this.#limits = limits;
    this.#what = `a client attached to container "${containerId}"`;
    this.lost = new Promise((_, reject) => (this.#lose = reject));
    this.lost.catch(() => undefined);
    sink?.on('error', () => undefined); // the session's signal says that the client is gone
    sink?.on('drain', this.#onDrain);
  }

  push(bytes: Buffer): void {
    if (this.#sink === undefined) return;
    if (!this.#waits) {
      this.#write(bytes);
      return;
    }
    this.#queue.push(bytes);
    this.#bytes += bytes.length;
    if (this.#bytes > this.#limits.bytes)
      this.#lose(resourceExhausted(`${this.#what} is ${this.#bytes} bytes of output behind`));
  }

  /** Settles when the client has taken everything. */
  async flushed(): Promise<void> {
    if (this.#waits) await Promise.race([new Promise<void>((resolve) => (this.#flushed = resolve)), this.lost]);
  }

  close(): void {
    clearTimeout(this.#stall);
    this.#sink?.off('drain', this.#onDrain);
    this.#queue = [];
    this.#bytes = 0;
  }

  /** False if the client wants no more for now. */
  #write(bytes: Buffer): boolean {
    if (!this.#sink?.writable || this.#sink.write(bytes)) return true;
    this.#waits = true;
    const seconds = this.#limits.stallMs / 1000;
    const stalled = (): void => this.#lose(resourceExhausted(`${this.#what} took no output for ${seconds} s`));
    this.#stall = setTimeout(stalled, this.#limits.stallMs);
    return false;
  }

  readonly #onDrain = (): void => {
    clearTimeout(this.#stall);
    this.#waits = false;
    for (let bytes = this.#queue.shift(); bytes !== undefined; bytes = this.#queue.shift()) {
      this.#bytes -= bytes.length;
      if (!this.#write(bytes)) return;
    }
    this.#flushed?.();
  };
}
