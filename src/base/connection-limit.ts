import type { Socket } from 'node:net';

export interface ConnectionLimitOptions {
  readonly max: number;
  /** True for a connection whose client has said nothing of use yet. */
  readonly isSilent: (connection: Socket) => boolean;
  /** True for a connection whose client has left, where the server does not notice by itself. */
  readonly isGone?: (connection: Socket) => boolean;
  /** Tells the client that there are too many, and ends the connection. */
  readonly refuse: (connection: Socket) => void;
}

/**
 * Keeps a server's connections few enough for everything else to have descriptors. Where there are too many, the oldest one whose client
 * is silent makes room: whoever opens connections and says nothing cannot keep others out.
 */
export class ConnectionLimit {
  readonly #options: ConnectionLimitOptions;
  /** The oldest first. */
  readonly #connections = new Set<Socket>();

  constructor(options: ConnectionLimitOptions) {
    this.#options = options;
  }

  /** False if the connection was refused. */
  admit(connection: Socket): boolean {
    const { max, refuse, isGone = () => false } = this.#options;
    for (const known of this.#connections) if (isGone(known)) this.#end(known);
    if (this.#connections.size >= max) {
      const silent = this.#oldestSilent();
      if (silent === undefined) {
        refuse(connection);
        return false;
      }
      this.release(silent);
      refuse(silent);
    }
    this.#connections.add(connection);
    connection.once('close', () => this.release(connection));
    return true;
  }

  /** The connection counts no more. */
  release(connection: Socket): void {
    this.#connections.delete(connection);
  }

  #end(connection: Socket): void {
    this.release(connection);
    connection.destroy();
  }

  get size(): number {
    return this.#connections.size;
  }

  #oldestSilent(): Socket | undefined {
    for (const connection of this.#connections) if (this.#options.isSilent(connection)) return connection;
    return undefined;
  }
}

/** The last word to a client: it is sent if it fits into the kernel's buffers, which are empty, and nothing is waited for. */
export function endWith(connection: Socket, bytes: string | Uint8Array): void {
  connection.on('error', () => undefined);
  connection.end(bytes);
  connection.destroySoon();
}
