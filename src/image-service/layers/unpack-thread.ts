import { Worker } from 'node:worker_threads';

import { GantryError, internal } from '../../base/errors.js';
import type { FromWorker, ToWorker } from './unpack-worker.js';

type Answer = Exclude<FromWorker['type'], 'taken' | 'failed'>;

/** Bytes on their way to the thread, at most; more only costs memory. */
const WINDOW = 1 << 20;

/** The main thread's end of an unpacking thread. After an error it is dead: end it. */
export class UnpackThread {
  readonly #worker = new Worker(new URL('./unpack-worker.js', import.meta.url));
  #inFlight = 0;
  #failure: GantryError | undefined;
  #wake: (() => void) | undefined;
  #answer: FromWorker | undefined;

  constructor() {
    this.#worker.on('message', (message: FromWorker) => this.#onMessage(message));
    this.#worker.on('error', (error) => this.#fail(internal('the unpacking thread failed', error)));
    this.#worker.on('exit', () => this.#fail(internal('the unpacking thread ended')));
  }

  post(message: ToWorker): void {
    this.#worker.postMessage(message);
  }

  /** Sends a chunk, waiting first until there is room for it. */
  async send(chunk: Uint8Array): Promise<void> {
    while (this.#inFlight >= WINDOW) await this.#news();
    if (this.#failure !== undefined) throw this.#failure;
    this.#inFlight += chunk.byteLength;
    this.post({ type: 'chunk', chunk });
  }

  /** Sends a message and waits for its answer. */
  async ask<T extends Answer>(message: ToWorker, type: T): Promise<Extract<FromWorker, { type: T }>> {
    this.post(message);
    for (;;) {
      const answer = this.#answer;
      this.#answer = undefined;
      if (answer?.type === type) return answer as Extract<FromWorker, { type: T }>;
      await this.#news();
    }
  }

  /** An idle thread keeps no process alive. */
  idle(): void {
    this.#worker.unref();
  }

  busy(): void {
    this.#worker.ref();
  }

  async end(): Promise<void> {
    await this.#worker.terminate();
  }

  async #news(): Promise<void> {
    if (this.#failure === undefined) await new Promise<void>((resolve) => (this.#wake = resolve));
    if (this.#failure !== undefined) throw this.#failure;
  }

  #onMessage(message: FromWorker): void {
    if (message.type === 'failed') this.#fail(new GantryError(message.code, message.message));
    else if (message.type === 'taken') this.#inFlight -= message.bytes;
    else this.#answer = message;
    this.#wake?.();
  }

  #fail(error: GantryError): void {
    this.#failure ??= error;
    this.#wake?.();
  }
}
