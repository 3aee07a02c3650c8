import { Worker } from 'node:worker_threads';

import { GantryError, internal } from '../../base/errors.js';
import type { FromWorker, ToWorker } from './unpack-worker.js';

type Answer = Exclude<FromWorker['type'], 'taken' | 'failed'>;

/** Bytes that go to the thread at a time: each message costs both threads a turn, and on a busy machine a wait for the processor. */
const MESSAGE_BYTES = 256 << 10;
/** Messages on their way, at most; more only cost memory. */
const WINDOW = 4;

/** The main thread's end of an unpacking thread. After an error it is dead: end it. */
export class UnpackThread {
  readonly #worker = new Worker(new URL('./unpack-worker.js', import.meta.url));
  /** Buffers are handed over, not copied, and come back to be filled again: a fast download leaves no garbage. */
  readonly #free: Uint8Array<ArrayBuffer>[] = [];
  #filling: Uint8Array<ArrayBuffer> | undefined;
  #filled = 0;
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

  /** Sends a chunk, waiting until there is room for it; what does not fill a message stays for the next one, or {@link flush}. */
  async send(chunk: Uint8Array): Promise<void> {
    for (let rest = chunk; rest.byteLength > 0;) {
      const buffer = (this.#filling ??= this.#free.pop() ?? new Uint8Array(MESSAGE_BYTES));
      const part = rest.subarray(0, buffer.byteLength - this.#filled);
      buffer.set(part, this.#filled);
      this.#filled += part.byteLength;
      rest = rest.subarray(part.byteLength);
      if (this.#filled === buffer.byteLength) await this.flush();
    }
  }

  /** Sends what is left of the chunks before. */
  async flush(): Promise<void> {
    while (this.#inFlight >= WINDOW) await this.#news();
    if (this.#failure !== undefined) throw this.#failure;
    const buffer = this.#filling;
    if (buffer === undefined) return;
    this.#inFlight++;
    this.#worker.postMessage({ type: 'chunk', buffer, length: this.#filled } satisfies ToWorker, [buffer.buffer]);
    this.#filling = undefined;
    this.#filled = 0;
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
    else if (message.type === 'taken') this.#onTaken(message.buffer);
    else this.#answer = message;
    this.#wake?.();
  }

  #onTaken(buffer: Uint8Array<ArrayBuffer>): void {
    this.#inFlight--;
    this.#free.push(buffer);
  }

  #fail(error: GantryError): void {
    this.#failure ??= error;
    this.#wake?.();
  }
}
