import { Server, type ServerOptions as GrpcOptions } from '@grpc/grpc-js';

import { RPCS, type RpcName } from '../../api/cri/generated/services.js';
import { unavailable, type GantryError } from '../base/errors.js';
import type { Logger } from '../base/log.js';
import { acceptFor } from './accept.js';
import { registerAdmin, registerAdminStreams, type AdminHandlers, type AdminStreams } from './admin.js';
import { Calls } from './calls.js';
import { MAX_MESSAGE_BYTES } from './codec.js';
import type { Handlers } from './handlers.js';
import { bindSocket } from './socket.js';
import { answerUnknownMethods } from './unknown-methods.js';
import { wrapStream, wrapUnary, type CallObserver, type Host } from './wrap.js';

export interface ServerOptions {
  /** An absolute path, or `unix:///path`. */
  readonly listen: string;
  readonly handlers: Handlers;
  /** The daemon's own calls beside CRI's. */
  readonly admin?: AdminHandlers;
  readonly adminStreams?: AdminStreams;
  /** Told of every call of CRI that has ended. */
  readonly observe?: CallObserver | undefined;
  /** More are refused; {@link MAX_CONNECTIONS} unless given. */
  readonly maxConnections?: number;
  readonly logger: Logger;
}

const MAX_CONNECTIONS = 1_000;

export interface RunningServer {
  /** The socket's path. */
  readonly address: string;
  /** Until this is called only Version is answered; everything else is Unavailable, so that clients try again. */
  setReady(): void;
  /**
   * Takes no new calls, ends streams, and waits for the other calls under way. After `deadlineMs` their signals
   * fire, and what does not return then is cut off.
   */
  drain(deadlineMs: number): Promise<void>;
}

type Phase = 'recovering' | 'ready' | 'draining';

/**
 * How often a connection on which nothing happens is tried, and how long its client has to answer: one that has broken the protocol is left by Node's
 * HTTP/2 as it is, and answers nothing.
 */
const KEEPALIVE_MS = 60_000;

/** Calls of one connection at the same time; a client waits with more. */
const MAX_STREAMS = 1_000;

const GRPC_OPTIONS: GrpcOptions = {
  'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
  'grpc.max_send_message_length': MAX_MESSAGE_BYTES,
  'grpc.max_concurrent_streams': MAX_STREAMS,
  'grpc.keepalive_time_ms': KEEPALIVE_MS,
  'grpc.keepalive_timeout_ms': KEEPALIVE_MS,
};

/** How long aborted handlers have to undo their work and answer before their connections are closed. */
const ABORT_GRACE_MS = 500;

/**
 * Serves both CRI services on a unix socket.
 * @throws invalid-argument and failed-precondition as {@link bindSocket}
 */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const server = new Server(GRPC_OPTIONS);
  const calls = new Calls();
  let phase: Phase = 'recovering';
  const refusal = (rpc: RpcName): GantryError | undefined => refusalIn(phase, rpc);
  const { admin = {}, adminStreams = {}, logger, handlers, observe } = options;
  register(server, { handlers, logger, calls, refusal, observe });
  const whenReady = { logger, ready: () => refusal('Status') };
  answerUnknownMethods(server);
  registerAdmin(server, admin, whenReady);
  registerAdminStreams(server, adminStreams, whenReady);
  const listener = acceptFor(server, { logger, maxConnections: options.maxConnections ?? MAX_CONNECTIONS });
  const address = await bindSocket(listener, options.listen);
  return {
    address,
    setReady: () => {
      if (phase === 'recovering') phase = 'ready';
    },
    drain: async (deadlineMs) => {
      phase = 'draining';
      listener.close();
      await drain(server, calls, { deadlineMs, logger: options.logger });
    },
  };
}

function refusalIn(phase: Phase, rpc: RpcName): GantryError | undefined {
  if (phase === 'draining') return shuttingDown();
  if (phase === 'recovering' && rpc !== 'Version') return unavailable('gantryd is still recovering');
  return undefined;
}

function shuttingDown(): GantryError {
  return unavailable('gantryd is shutting down');
}

/** Messages stay bytes for grpc-js: the wrapper decodes and encodes. */
function register(server: Server, host: Host): void {
  const asIs = (bytes: Buffer): Buffer => bytes;
  for (const rpc of Object.keys(RPCS) as RpcName[]) {
    const { path, streams } = RPCS[rpc];
    if (streams) server.register(path, wrapStream(host, rpc), asIs, asIs, 'serverStream');
    else server.register(path, wrapUnary(host, rpc), asIs, asIs, 'unary');
  }
}

async function drain(server: Server, calls: Calls, options: { deadlineMs: number; logger: Logger }): Promise<void> {
  const closed = new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
  // An event stream ends only when its client leaves, so it would hold up every shutdown.
  for (const call of calls.running()) if (RPCS[call.rpc].streams) call.abort(shuttingDown());
  const done = Promise.all([closed, calls.idle()]);
  if (await settlesWithin(done, options.deadlineMs)) return;
  const late = calls.running();
  options.logger.warn({ rpcs: late.map((call) => call.rpc) }, 'calls still under way at the end of the drain');
  for (const call of late) call.abort(shuttingDown());
  await settlesWithin(done, ABORT_GRACE_MS);
  server.forceShutdown();
}

function settlesWithin(promise: Promise<unknown>, ms: number): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), ms);
    void promise.then(() => {
      clearTimeout(timer);
      resolve(true);
    });
  });
}
