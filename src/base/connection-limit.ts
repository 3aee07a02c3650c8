import type { Socket } from 'node:net';

export interface ConnectionLimitOptions {
  readonly max: number;
  /** True for a connection whose client has said nothing of use yet; once false, false for good. */
  readonly isSilent: (connection: Socket) => boolean;
  /** True for a connection whose client has left, where the server does not notice by itself. */
  readonly isGone?: (connection: Socket) => boolean;
  /** Tells the client that there are too many, and ends the connection. */
  readonly refuse: (connection: Socket) => void;
}

/** How many connections are looked at for clients that have left, each time that one comes. */
const LOOKS = 4;

/**
 * Keeps a server's connections few enough for everything else to have descriptors. Where there are too many, the oldest one whose client
 * is silent makes room: whoever opens connections and says nothing cannot keep others out. One that comes costs the same however many
 * there are, but where it is to be refused.
 */
export class ConnectionLimit {
  readonly #options: ConnectionLimitOptions;
  /** What was not looked at for the longest time first. */
  readonly #connections = new Set<Socket>();
  /** Those that were silent when last looked at, the oldest first: who has spoken is never silent again. */
  readonly #silent = new Set<Socket>();

  constructor(options: ConnectionLimitOptions) {
    this.#options = options;
  }

  /** False if the connection was refused. */
  admit(connection: Socket): boolean {
    const { max, refuse } = this.#options;
    this.#endGone(LOOKS);
    if (this.#connections.size >= max && !this.#makeRoom()) {
      refuse(connection);
      return false;
    }
    this.#connections.add(connection);
    this.#silent.add(connection);
    connection.once('close', () => this.release(connection));
    return true;
  }

  /** The connection counts no more. */
  release(connection: Socket): void {
    this.#connections.delete(connection);
    this.#silent.delete(connection);
  }

  #makeRoom(): boolean {
    const silent = this.#oldestSilent();
    if (silent === undefined) {
      this.#endGone(this.#connections.size);
      return this.#connections.size < this.#options.max;
    }
    this.release(silent);
    this.#options.refuse(silent);
    return true;
  }

  #endGone(looks: number): void {
    const { isGone = () => false } = this.#options;
    for (let left = Math.min(looks, this.#connections.size); left > 0; left--) {
      const [connection] = this.#connections;
      if (connection === undefined) return;
      this.#connections.delete(connection);
      if (!isGone(connection)) this.#connections.add(connection);
      else {
        this.release(connection);
        connection.destroy();
      }
    }
  }

  get size(): number {
    return this.#connections.size;
  }

  #oldestSilent(): Socket | undefined {
    for (const connection of this.#silent) {
      if (this.#options.isSilent(connection)) return connection;
      this.#silent.delete(connection);
    }
    return undefined;
  }
}

/** The last word to a client: it is sent if it fits into the kernel's buffers, which are empty, and nothing is waited for. */
export function endWith(connection: Socket, bytes: string | Uint8Array): void {
  connection.on('error', () => undefined);
  connection.end(bytes);
  connection.destroySoon();
}
