import { createServer, type Server as SocketServer, type Socket } from 'node:net';
import { ServerCredentials, type Server } from '@grpc/grpc-js';

import { ConnectionLimit, endWith } from '../base/connection-limit.js';
import { describeError } from '../base/errors.js';
import type { Logger } from '../base/log.js';
import { hasHungUp } from '../base/sys/descriptor.js';

export interface AcceptOptions {
  readonly maxConnections: number;
  readonly logger: Logger;
}

/** "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" (RFC 9113, 3.4). */
const PREFACE_BYTES = 24;
/** How long a client may take to send it. */
const PREFACE_MS = 10_000;

/** An empty SETTINGS frame, with which a server begins, and GOAWAY with ENHANCE_YOUR_CALM (RFC 9113, 6.5, 6.8 and 7). */
const TOO_MANY = refusal('too many connections');

/**
 * Listens for a gRPC server, which by itself takes any number of connections and lets them be silent for ever. The server that is
 * returned is not bound yet; to close it takes no more connections, and leaves those that there are.
 */
export function acceptFor(server: Server, { maxConnections, logger }: AcceptOptions): SocketServer {
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  const isSilent = ({ bytesRead }: Socket): boolean => bytesRead < PREFACE_BYTES;
  const refuse = (connection: Socket): void => {
    logger.warn({ maxConnections }, 'a connection is refused: there are too many');
    endWith(connection, TOO_MANY);
  };
  const descriptors = new WeakMap<Socket, number>();
  const isGone = (connection: Socket): boolean => hasHungUp(descriptors.get(connection) ?? -1);
  const limit = new ConnectionLimit({ max: maxConnections, isSilent, isGone, refuse });
  const listener = createServer((connection) => {
    descriptors.set(connection, descriptorOf(connection));
    if (!limit.admit(connection)) return;
    const timer = setTimeout(() => {
      if (isSilent(connection)) connection.destroy();
    }, PREFACE_MS);
    timer.unref();
    connection.once('close', () => clearTimeout(timer));
    injector.injectConnection(connection);
  });
  // Descriptors have run out: whoever comes later may have more luck.
  listener.on('error', (error) => logger.warn({ error: describeError(error) }, 'cannot accept a connection'));
  return listener;
}

/** Node has it, and says so to nobody: after an error of the protocol its HTTP/2 hears no more of the connection, not even its end. */
function descriptorOf(connection: Socket): number {
  return (connection as unknown as { readonly _handle?: { readonly fd?: number } })._handle?.fd ?? -1;
}

function refusal(text: string): Buffer {
  const settings = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);
  const goAway = Buffer.from([0, 0, 8 + text.length, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x0b]);
  return Buffer.concat([settings, goAway, Buffer.from(text)]);
}
