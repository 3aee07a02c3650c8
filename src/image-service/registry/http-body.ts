import type { IncomingMessage } from 'node:http';

import { abortReason } from '../../base/abort.js';
import { unavailable } from '../../base/errors.js';
import { makeSysError } from '../../base/sys/libc.js';

export interface HttpBodyOptions {
  /** Of the network, while somebody waits for it: time that the reader takes does not count. */
  readonly stallMs: number;
  /** Bytes a second that must come over `stallMs`, while somebody waits for them, at least; 0: any. */
  readonly minRate: number;
  /** Who sends it. */
  readonly origin: string;
  readonly signal?: AbortSignal | undefined;
}

/** What a server answered with, to be read once or destroyed. */
export class HttpBody implements AsyncIterable<Uint8Array> {
  readonly #message: IncomingMessage;
  readonly #options: HttpBodyOptions;

  constructor(message: IncomingMessage, options: HttpBodyOptions) {
    this.#message = message;
    this.#options = options;
    // A body that nobody listens to yet must not bring the process down when its connection breaks.
    message.on('error', () => undefined);
  }

  destroy(): void {
    this.#message.destroy();
  }

  /**
   * @throws cancelled or deadline-exceeded for the signal; ETIMEDOUT for silence; unavailable, which is not tried again, for too few bytes;
   *   what the connection breaks with
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    const { stallMs, signal } = this.#options;
    let waiting = true;
    const pace = new Pace(this.#options);
    const silence = setTimeout(() => {
      if (waiting) this.#message.destroy(makeSysError('ETIMEDOUT', 'read', `nothing came for ${stallMs / 1000} s`));
    }, stallMs);
    try {
      for await (const chunk of this.#message as AsyncIterable<Buffer>) {
        waiting = false;
        pace.came(chunk.length);
        yield chunk;
        waiting = true;
        pace.wait();
        silence.refresh();
      }
    } catch (error) {
      throw signal?.aborted ? abortReason(signal) : error;
    } finally {
      clearTimeout(silence);
    }
  }
}

/** Looks at the bytes that come in each stretch of waiting that is `stallMs` long. */
class Pace {
  readonly #options: HttpBodyOptions;
  #since = performance.now();
  #waited = 0;
  #bytes = 0;

  constructor(options: HttpBodyOptions) {
    this.#options = options;
  }

  wait(): void {
    this.#since = performance.now();
  }

  /** @throws unavailable */
  came(bytes: number): void {
    const { stallMs, minRate, origin } = this.#options;
    this.#bytes += bytes;
    this.#waited += performance.now() - this.#since;
    if (this.#waited < stallMs) return;
    const seconds = this.#waited / 1000;
    if (this.#bytes < minRate * seconds)
      throw unavailable(
        `${origin} sends too slowly: ${this.#bytes} bytes in ${Math.round(seconds)} s, less than ${minRate} bytes a second`,
      );
    this.#waited = 0;
    this.#bytes = 0;
  }
}
