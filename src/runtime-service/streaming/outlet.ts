import type { Writable } from 'node:stream';

import { unavailable } from '../../base/errors.js';

/** Control frames that may wait for a client which does not read: a flood of pings ends here. */
const MAX_REPLIES_BYTES = 256 * 1024;

type Done = (error?: Error | null) => void;

/** Where all streams of one connection write. */
export class Outlet {
  readonly #socket: Writable;
  #waiting: Done[] = [];
  #replyBytes = 0;

  constructor(socket: Writable) {
    this.#socket = socket;
    socket.on('drain', () => this.#wake());
    socket.on('close', () => this.#wake(unavailable('the client is gone')));
  }

  /** Sends what a stream has; `done` when the socket takes more, so that a slow client holds up who writes. */
  write(frame: Buffer, done: Done): void {
    if (this.#socket.destroyed || this.#socket.writableEnded) {
      done(unavailable('the client is gone'));
      return;
    }
    this.#socket.write(frame);
    this.await(done);
  }

  /** Calls back when the socket takes more. */
  await(done: Done): void {
    if (this.#socket.writableNeedDrain) this.#waiting.push(done);
    else done();
  }

  /**
   * Sends what the protocol demands, whether the client reads or not.
   * @returns false where too much of that waits already
   */
  reply(frame: Buffer): boolean {
    if (this.#socket.destroyed || this.#socket.writableEnded) return true;
    this.#replyBytes += frame.length;
    this.#socket.write(frame, () => (this.#replyBytes -= frame.length));
    return this.#replyBytes <= MAX_REPLIES_BYTES;
  }

  #wake(error?: Error): void {
    for (const done of this.#waiting.splice(0)) done(error);
  }
}
