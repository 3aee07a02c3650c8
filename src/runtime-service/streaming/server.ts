import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { isIPv6, type AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';

import { settlesWithin } from '../../base/abort.js';
import { describeError, unavailable } from '../../base/errors.js';
import { giveBackMemory } from '../../base/give-back-memory.js';
import type { Logger } from '../../base/log.js';
import { Slots } from '../../base/slots.js';
import { checkOrigin } from './check-origin.js';
import { chooseProtocol } from './protocols.js';
import { serveClient } from './serve-client.js';
import { Session } from './session.js';

import { TlsFiles, type TlsContext } from './tls-files.js';
import { Tokens } from './tokens.js';
import type { StreamingBackend, StreamTarget } from './types.js';
import { refuseUpgrade, type Refusal, type UpgradeRequest } from './upgrade-request.js';
import { REQUEST_TIMES, TLS_TIMES, WaitingClients } from './waiting-clients.js';

export interface StreamingServerOptions {
  readonly address: string;
  /** 0: any that is free. */
  readonly port: number;
  /** PEM files; absent for plain HTTP. */
  readonly tls?: { readonly cert: string; readonly key: string };
  /** 0: sessions may idle for ever. */
  readonly idleMs: number;
  readonly maxSessions: number;
  /** Clients that are connected and have not asked for anything yet. */
  readonly maxWaiting: number;
  /** Connections to ports of pods, of all sessions together. */
  readonly maxForwarded: number;
  readonly backend: StreamingBackend;
  readonly logger: Logger;
}

/** How long sessions may take to end when the server stops. */
const STOP_MS = 10_000;
const PATH = /^\/([a-z]+)\/([\w-]+)$/;
/** The first part of a URL's path, as the peers have it. */
const PATH_OF = { exec: 'exec', attach: 'attach', 'port-forward': 'portforward' } as const;

/** Serves what Exec, Attach and PortForward give URLs for. */
export class StreamingServer {
  readonly #options: StreamingServerOptions;
  readonly #server: Server;
  readonly #tls: TlsFiles | undefined;
  readonly #tokens = new Tokens();
  readonly #waiting: WaitingClients;
  readonly #forwarded: Slots;
  readonly #sessions = new Map<Session, Promise<void>>();

  /** @throws unavailable if it cannot listen; failed-precondition for certificates that cannot be used */
  static async start(options: StreamingServerOptions): Promise<StreamingServer> {
    const tls = options.tls === undefined ? undefined : await TlsFiles.load(options.tls, options.logger);
    const server =
      tls === undefined
        ? createServer(REQUEST_TIMES)
        : createTlsServer({ ...REQUEST_TIMES, ...TLS_TIMES, ...tls.context });
    await listen(server, options);
    return new StreamingServer(options, server, tls);
  }

  private constructor(options: StreamingServerOptions, server: Server, tls: TlsFiles | undefined) {
    this.#options = options;
    this.#server = server;
    this.#tls = tls;
    const { maxWaiting, maxForwarded, logger } = options;
    this.#waiting = new WaitingClients(server, { max: maxWaiting, tls: tls !== undefined, logger });
    this.#forwarded = new Slots(maxForwarded);
    server.on('request', (_: IncomingMessage, response: ServerResponse) => refuseRequest(response));
    server.on('upgrade', (request, socket, head) => this.#onUpgrade({ request, socket, head }));
    server.on('clientError', (_: Error, socket: Duplex) => socket.destroy());
    // Descriptors have run out: whoever comes later may have more luck.
    server.on('error', (error) => logger.warn({ error: describeError(error) }, 'cannot accept a streaming client'));
  }

  /** Where kubelet reaches the server. */
  get baseUrl(): string {
    const { port } = this.#server.address() as AddressInfo;
    return `${this.#tls === undefined ? 'http' : 'https'}://${reachable(this.#options.address)}:${port}`;
  }

  /**
   * A URL that serves the target, once and within a minute.
   * @throws resource-exhausted if too many URLs wait for their clients
   */
  async urlFor(target: StreamTarget): Promise<string> {
    await this.#tls?.reload((context) => (this.#server as Server & TlsServer).setSecureContext(context));
    return `${this.baseUrl}/${PATH_OF[target.kind]}/${this.#tokens.add(target)}`;
  }

  /** Ends all sessions and lets go of the port. */
  async stop(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const session of this.#sessions.keys()) session.abort(unavailable('gantryd is shutting down'));
    await settlesWithin(Promise.all(this.#sessions.values()), STOP_MS);
    this.#server.closeAllConnections();
    await settlesWithin(closed, STOP_MS);
  }

  #onUpgrade(upgrade: UpgradeRequest): void {
    const { request, socket } = upgrade;
    socket.on('error', () => socket.destroy());
    const foreign = checkOrigin(request);
    if (foreign !== undefined) {
      refuseUpgrade(socket, foreign);
      return;
    }
    const [, kind, token = ''] = PATH.exec(request.url ?? '') ?? [];
    const target = this.#tokens.find(token);
    if (target === undefined || PATH_OF[target.kind] !== kind) {
      refuseUpgrade(socket, NOT_FOUND);
      return;
    }
    if (this.#sessions.size >= this.#options.maxSessions) {
      refuseUpgrade(socket, FULL);
      return;
    }
    const choice = chooseProtocol(request, target);
    if ('status' in choice) {
      refuseUpgrade(socket, choice);
      return;
    }
    this.#tokens.take(token);
    this.#waiting.served(request.socket);
    const session = new Session(this.#options.idleMs);
    const { backend } = this.#options;
    const logger = this.#options.logger.child({ stream: target.kind, ...subjectOf(target) });
    const forwarded = this.#forwarded;
    const served = logged(logger, serveClient({ upgrade, choice, target, backend, session, forwarded, logger }));
    this.#sessions.set(
      session,
      served.finally(() => this.#forget(session)),
    );
  }

  #forget(session: Session): void {
    session.close();
    this.#sessions.delete(session);
    giveBackMemory();
  }
}

async function logged(logger: Logger, served: Promise<void>): Promise<void> {
  logger.debug('a streaming client has come');
  try {
    await served;
    logger.debug('a streaming session is over');
  } catch (error) {
    logger.warn({ error: describeError(error) }, 'a streaming session has failed');
  }
}

const NOT_FOUND: Refusal = { status: 404, message: 'the URL is unknown, used or more than a minute old' };
const FULL: Refusal = { status: 503, message: 'too many streaming sessions' };

interface TlsServer {
  setSecureContext(context: TlsContext): void;
}

function refuseRequest(response: ServerResponse): void {
  response.writeHead(400, { 'content-type': 'text/plain; charset=utf-8', connection: 'close' });
  response.end('an upgrade to SPDY/3.1 or websocket is expected\n');
}

function subjectOf(target: StreamTarget): Readonly<Record<string, string>> {
  return target.kind === 'port-forward' ? { sandbox: target.sandboxId } : { container: target.containerId };
}

/** Kubelet is on this node: where all addresses are listened on, it takes the loopback. */
function reachable(address: string): string {
  if (address === '0.0.0.0') return '127.0.0.1';
  if (!isIPv6(address)) return address;
  return address === '::' ? '[::1]' : `[${address}]`;
}

function listen(server: Server, { address, port }: StreamingServerOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void => reject(unavailable(`cannot serve streams on ${address} port ${port}`, error));
    server.once('error', fail);
    server.listen({ host: address, port }, () => {
      server.off('error', fail);
      resolve();
    });
  });
}
