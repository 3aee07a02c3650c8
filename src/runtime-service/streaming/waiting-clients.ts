import type { Server } from 'node:http';
import type { Socket } from 'node:net';

import { ConnectionLimit, endWith } from '../../base/connection-limit.js';
import type { Logger } from '../../base/log.js';
import { refusalText } from './upgrade-request.js';

export interface WaitingClientsOptions {
  readonly max: number;
  readonly tls: boolean;
  readonly logger: Logger;
}

/** How long a client may take to say what it wants, also to begin with it; Node looks every so often. */
export const REQUEST_TIMES = {
  headersTimeout: 10_000,
  requestTimeout: 10_000,
  keepAliveTimeout: 5_000,
  connectionsCheckingInterval: 2_000,
} as const;
export const TLS_TIMES = { handshakeTimeout: REQUEST_TIMES.headersTimeout } as const;

const FULL = refusalText({ status: 503, message: 'too many clients that ask for nothing' });

/**
 * The connections of a server that no session has yet. There are few at a time, since a client asks as soon as it is connected; where
 * there are too many, the oldest one is refused in favour of the newest.
 */
export class WaitingClients {
  readonly #byAddress = new Map<string, Socket>();
  readonly #limit: ConnectionLimit;

  constructor(server: Server, { max, tls, logger }: WaitingClientsOptions) {
    const refuse = (connection: Socket): void => {
      logger.warn({ max }, 'a streaming client is refused: too many are connected and ask for nothing');
      // No plain text to a client that expects TLS.
      if (tls) connection.destroy();
      else endWith(connection, FULL);
    };
    this.#limit = new ConnectionLimit({ max, isSilent: () => true, refuse });
    // Before the server's own listener, which begins to read.
    server.prependListener('connection', (connection: Socket) => this.#admit(connection));
  }

  /** A session has the connection now. By addresses, which TLS does not change. */
  served(connection: Addresses): void {
    const raw = this.#byAddress.get(addressOf(connection));
    if (raw !== undefined) this.#limit.release(raw);
  }

  #admit(connection: Socket): void {
    const address = addressOf(connection);
    this.#byAddress.set(address, connection);
    connection.once('close', () => {
      if (this.#byAddress.get(address) === connection) this.#byAddress.delete(address);
    });
    this.#limit.admit(connection);
  }
}

interface Addresses {
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
}

function addressOf({ remoteAddress, remotePort }: Addresses): string {
  return `${remoteAddress} ${remotePort}`;
}
