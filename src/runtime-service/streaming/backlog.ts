import type { Readable } from 'node:stream';

/** What a connection reads from: a socket, a WebSocket. */
export interface Source {
  pause(): void;
  resume(): void;
  /** Writes something harmless, so that the kernel notices a client that is gone while nothing is read. */
  probe(): void;
}

/** For one stream, and for all of one connection. */
const STREAM_LIMIT = 1024 * 1024;
const CONNECTION_LIMIT = 8 * 1024 * 1024;
const PROBE_MS = 10_000;

/**
 * What has come for streams whose readers are behind. Streaming clients know no windows, so the one way to hold a client back is
 * not to read its connection; that is done when a stream has about 1 MiB waiting, and ends when its reader has caught up.
 */
export class Backlog {
  readonly #source: Source;
  readonly #held = new Map<Readable, number>();
  #total = 0;
  #prober: NodeJS.Timeout | undefined;

  constructor(source: Source) {
    this.#source = source;
  }

  get paused(): boolean {
    return this.#prober !== undefined;
  }

  /** `bytes` wait in the stream. */
  hold(stream: Readable, bytes: number): void {
    this.#total += bytes - (this.#held.get(stream) ?? 0);
    this.#held.set(stream, bytes);
    if (bytes >= STREAM_LIMIT || this.#total >= CONNECTION_LIMIT) this.#pause();
  }

  /** The stream's reader has caught up, or needs no more. */
  release(stream: Readable): void {
    this.#total -= this.#held.get(stream) ?? 0;
    if (!this.#held.delete(stream) || !this.paused) return;
    const full = [...this.#held.values()].some((bytes) => bytes >= STREAM_LIMIT);
    if (!full && this.#total < CONNECTION_LIMIT) this.stop();
  }

  /** Reads again, whatever waits. */
  stop(): void {
    if (!this.paused) return;
    clearInterval(this.#prober);
    this.#prober = undefined;
    this.#source.resume();
  }

  #pause(): void {
    if (this.paused) return;
    this.#source.pause();
    this.#prober = setInterval(() => this.#source.probe(), PROBE_MS);
  }
}
