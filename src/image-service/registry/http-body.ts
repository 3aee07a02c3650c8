import type { IncomingMessage } from 'node:http';

import { abortReason } from '../../base/abort.js';
import { makeSysError } from '../../base/sys/libc.js';

export interface HttpBodyOptions {
  /** Of the network, while somebody waits for it: time that the reader takes does not count. */
  readonly stallMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** So much may wait for a slow reader before the server has to. */
const MAX_WAITING = 256 << 10;

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
    const message = this.#message;
    const inbox = new Inbox(message);
    let waiting = true;
    const silence = setTimeout(() => {
      if (waiting) message.destroy(makeSysError('ETIMEDOUT', 'read', `nothing came for ${stallMs / 1000} s`));
    }, stallMs);
    try {
      for (;;) {
        const chunk = inbox.take() ?? (await inbox.wait());
        if (chunk === undefined) return;
        waiting = false;
        yield chunk;
        waiting = true;
        silence.refresh();
      }
    } catch (error) {
      throw signal?.aborted ? abortReason(signal) : error;
    } finally {
      clearTimeout(silence);
      if (!message.readableEnded) message.destroy();
    }
  }
}

/**
 * What came of a body and was not taken yet. It listens to `data`: Node's own iterator stops and restarts the connection
 * for each chunk, also for a reader that keeps up.
 */
class Inbox {
  readonly #message: IncomingMessage;
  readonly #chunks: Buffer[] = [];
  #bytes = 0;
  #ended = false;
  #failure: Error | undefined;
  #wake: (() => void) | undefined;

  constructor(message: IncomingMessage) {
    this.#message = message;
    message.once('end', () => {
      this.#ended = true;
      this.#wake?.();
    });
    message.once('error', (error) => this.#fail(error));
    message.once('close', () => this.#fail(closed()));
    if (message.destroyed) this.#fail(message.errored ?? closed());
    else message.on('data', (chunk: Buffer) => this.#put(chunk));
  }

  /** The next chunk that is here. */
  take(): Buffer | undefined {
    const chunk = this.#chunks.shift();
    if (chunk === undefined) return undefined;
    this.#bytes -= chunk.byteLength;
    if (this.#chunks.length === 0 && this.#message.isPaused()) this.#message.resume();
    return chunk;
  }

  /** The next chunk, or undefined at the end. @throws what the connection broke with */
  async wait(): Promise<Buffer | undefined> {
    for (;;) {
      const chunk = this.take();
      if (chunk !== undefined || this.#ended) return chunk;
      if (this.#failure !== undefined) throw this.#failure;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  #put(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#bytes += chunk.byteLength;
    if (this.#bytes >= MAX_WAITING) this.#message.pause();
    this.#wake?.();
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#wake?.();
  }
}

function closed(): Error {
  return makeSysError('ECONNRESET', 'read', 'the connection was closed');
}
