import { Worker } from 'node:worker_threads';

import { settlesWithin } from '../../base/abort.js';
import { internal, type GantryError } from '../../base/errors.js';
import type { Refused } from '../registry/authorizer.js';
import type { Download, Received } from '../registry/download.js';
import { fromMessage, toMessage } from './error-message.js';
import type { FromWorker, ToWorker } from './unpack-worker.js';

type Answer = Exclude<FromWorker['type'], 'ready' | 'taken' | 'received' | 'trouble' | 'refused' | 'failed'>;

/** Bytes that go to the thread at a time: each message costs both threads a turn, and on a busy machine a wait for the processor. */
const MESSAGE_BYTES = 256 << 10;
/** Messages on their way, at most; more only cost memory. */
const WINDOW = 4;
/** In MB. What a layer may take is bounded far below; a young generation of the usual size would take more than all else of a thread. */
const HEAP = { maxYoungGenerationSizeMb: 8, maxOldGenerationSizeMb: 256 } as const;
/** A chunk is unpacked in a few milliseconds, on a bad disk in a second. */
const END_MS = 5_000;
/** What is left to do then is to answer what has been asked. */
const RECOVER_MS = 1_000;

/** The main thread's end of an unpacking thread. After an error it is of no use before {@link UnpackThread.recover}: else end it. */
export class UnpackThread {
  /** Made of unpack-worker.ts, in one file with all that it needs of ours. */
  readonly #worker = new Worker(new URL('./unpack-worker.bundle.js', import.meta.url), { resourceLimits: HEAP });
  /** Buffers are handed over, not copied, and come back to be filled again: a fast download leaves no garbage. */
  readonly #free: Uint8Array<ArrayBuffer>[] = [];
  #filling: Uint8Array<ArrayBuffer> | undefined;
  #filled = 0;
  readonly #ended = new Promise<void>((resolve) => this.#worker.once('exit', () => resolve()));
  #inFlight = 0;
  #failure: GantryError | undefined;
  #hasEnded = false;
  #wake: (() => void) | undefined;
  #answer: FromWorker | undefined;
  #onReady: (() => void) | undefined;
  #download: Download | undefined;
  /** Told of the bytes of an archive that came. */
  onBytes: ((count: number) => void) | undefined;

  constructor() {
    this.#worker.on('message', (message: FromWorker) => this.#onMessage(message));
    this.#worker.on('error', (error) => this.#fail(internal('the unpacking thread failed', error)));
    this.#worker.on('exit', () => {
      this.#hasEnded = true;
      this.#onReady?.();
      this.#fail(internal('the unpacking thread ended'));
    });
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

  /** Has the thread fetch and unpack a blob. What its registry wants to know of the caller is answered here, where the credentials are. */
  async download(download: Download): Promise<void> {
    this.#download = download;
    await this.ask({ type: 'download', order: download.order }, 'verified');
    this.#download = undefined;
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

  /**
   * Ends the thread, whatever it does. It is asked to first: to be ended in the middle of a system call made through koffi can take the
   * process with it. One that does not answer hangs in the kernel, and ends when that lets it go.
   */
  async end(): Promise<void> {
    this.post({ type: 'exit' });
    if (!(await settlesWithin(this.#ended, END_MS))) await this.#worker.terminate();
  }

  /**
   * Makes the thread ready for other work after some that failed, if nobody works with it any more; false if it cannot be used again. To start another one
   * takes longer than it takes to find that a layer is a bad one.
   */
  async recover(): Promise<boolean> {
    const ready = new Promise<void>((resolve) => (this.#onReady = resolve));
    this.post({ type: 'reset' });
    if (!this.#isAlive() || !(await settlesWithin(ready, RECOVER_MS)) || !this.#isAlive()) return false;
    // What had been sent for the work that failed has failed too, before the answer.
    this.#failure = undefined;
    this.#answer = undefined;
    this.#download = undefined;
    this.#filling = undefined;
    this.#filled = 0;
    this.#inFlight = 0;
    return true;
  }

  /** Ends the thread in the middle of its work, which must be none of koffi's calls. */
  async terminate(): Promise<void> {
    await this.#worker.terminate();
  }

  #isAlive(): boolean {
    return !this.#hasEnded;
  }

  async #news(): Promise<void> {
    if (this.#failure === undefined) await new Promise<void>((resolve) => (this.#wake = resolve));
    if (this.#failure !== undefined) throw this.#failure;
  }

  #onMessage(message: FromWorker): void {
    if (message.type === 'ready') this.#onReady?.();
    else if (message.type === 'failed') this.#fail(fromMessage(message.error));
    else if (message.type === 'taken') this.#onTaken(message.buffer);
    else if (message.type === 'received') this.#onReceived(message.received);
    else if (message.type === 'trouble') this.#download?.noteTrouble(fromMessage(message.error));
    else if (message.type === 'refused') void this.#authorize(message.refused);
    else this.#answer = message;
    this.#wake?.();
  }

  #onReceived(received: Received): void {
    this.onBytes?.(received.bytes - (this.#download?.received.bytes ?? 0));
    this.#download?.noteReceived(received);
  }

  #onTaken(buffer: Uint8Array<ArrayBuffer>): void {
    this.onBytes?.(buffer.byteLength);
    this.#inFlight--;
    this.#free.push(buffer);
  }

  async #authorize(refused: Refused): Promise<void> {
    try {
      this.post({ type: 'authorize', authorization: await this.#download?.session.authorize(refused) });
    } catch (error) {
      this.post({ type: 'authorize', error: toMessage(error) });
    }
  }

  #fail(error: GantryError): void {
    this.#failure ??= error;
    this.#wake?.();
  }
}
