import { Duplex } from 'node:stream';

import type { Backlog } from './backlog.js';

/** Where a stream sends: its part of a connection that others share. */
export interface StreamLink {
  /** Calls back when more may be sent. */
  send(chunk: Buffer, done: (error?: Error | null) => void): void;
  /** Nothing more will be sent. */
  end(): void;
  /** The stream is given up before both directions have ended. */
  reset(): void;
}

/** From here on waiting bytes count; the connection is paused much later. */
const READ_AHEAD = 16 * 1024;
const WRITE_AHEAD = 64 * 1024;
/** What a waiting chunk costs beside its bytes, so that a million chunks of one byte are not a megabyte. */
const CHUNK_COST = 256;

/** One stream of a connection, half-open where its protocol knows that. Its errors need no listener: it is closed then. */
export class MuxStream extends Duplex {
  readonly #link: StreamLink;
  readonly #backlog: Backlog;
  #waiting = 0;
  #received = false;

  constructor(link: StreamLink, backlog: Backlog) {
    super({ readableHighWaterMark: READ_AHEAD, writableHighWaterMark: WRITE_AHEAD });
    this.#link = link;
    this.#backlog = backlog;
    this.on('error', () => undefined);
  }

  /** The client has sent this. */
  receive(chunk: Buffer): void {
    if (this.#received || this.destroyed || chunk.length === 0) return;
    this.#waiting += chunk.length + CHUNK_COST;
    if (!this.push(chunk)) this.#backlog.hold(this, this.#waiting);
  }

  /** The client sends no more. */
  receiveEnd(): void {
    if (this.#received || this.destroyed) return;
    this.#received = true;
    this.push(null);
  }

  override _read(): void {
    this.#waiting = 0;
    this.#backlog.release(this);
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#link.send(chunk, done);
  }

  override _final(done: () => void): void {
    this.#link.end();
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#backlog.release(this);
    if (!this.#received || !this.writableFinished) this.#link.reset();
    done(error);
  }
}
