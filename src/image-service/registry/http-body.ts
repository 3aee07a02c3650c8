import type { IncomingMessage } from 'node:http';

import { abortReason } from '../../base/abort.js';
import { makeSysError } from '../../base/sys/libc.js';

export interface HttpBodyOptions {
  /** Of the network, while somebody waits for it: time that the reader takes does not count. */
  readonly stallMs: number;
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

  /** @throws cancelled or deadline-exceeded for the signal; ETIMEDOUT for silence; what the connection breaks with */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    const { stallMs, signal } = this.#options;
    let waiting = true;
    const silence = setTimeout(() => {
      if (waiting) this.#message.destroy(makeSysError('ETIMEDOUT', 'read', `nothing came for ${stallMs / 1000} s`));
    }, stallMs);
    try {
      for await (const chunk of this.#message as AsyncIterable<Buffer>) {
        waiting = false;
        yield chunk;
        waiting = true;
        silence.refresh();
      }
    } catch (error) {
      throw signal?.aborted ? abortReason(signal) : error;
    } finally {
      clearTimeout(silence);
    }
  }
}
