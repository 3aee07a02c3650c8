import { PassThrough, Writable } from 'node:stream';

import { until } from '../../../base/testing.js';
import type { StreamSession, TerminalSize } from '../types.js';

/** One output at a client, which can stop taking any. */
export class TestOutput extends Writable {
  readonly #chunks: Buffer[] = [];
  bytes = 0;
  #release: (() => void) | undefined;
  #held = false;

  constructor() {
    super({ highWaterMark: 16_384 });
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.#chunks.push(chunk);
    this.bytes += chunk.length;
    if (this.#held) this.#release = done;
    else done();
  }

  /** Takes no more than one chunk from now on, until {@link letGo}. */
  hold(): void {
    this.#held = true;
  }

  letGo(): void {
    this.#held = false;
    this.#release?.();
  }

  get all(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  get text(): string {
    return this.all.toString();
  }

  async says(pattern: RegExp): Promise<void> {
    await until(() => pattern.test(this.text));
  }
}

/** A client of an exec or attach, without a protocol in between. */
export class TestSession implements StreamSession {
  readonly stdin: PassThrough | undefined;
  readonly stdout = new TestOutput();
  readonly stderr: TestOutput | undefined;
  readonly #gone = new AbortController();
  readonly signal = this.#gone.signal;
  readonly #listeners: ((size: TerminalSize) => void)[] = [];
  #size: TerminalSize | undefined;

  constructor({ stdin = false, tty = false } = {}) {
    this.stdin = stdin ? new PassThrough() : undefined;
    this.stderr = tty ? undefined : new TestOutput();
  }

  onResize(listener: (size: TerminalSize) => void): void {
    this.#listeners.push(listener);
    if (this.#size !== undefined) listener(this.#size);
  }

  resize(width: number, height: number): void {
    this.#size = { width, height };
    for (const listener of this.#listeners) listener(this.#size);
  }

  type(text: string): void {
    this.stdin?.write(text);
  }

  leave(): void {
    this.#gone.abort();
  }
}
