import type { Duplex } from 'node:stream';

import { describeError, hasCode, unavailable, type GantryError } from '../../../base/errors.js';
import type { Logger } from '../../../base/log.js';
import type { Slots } from '../../../base/slots.js';
import { letGo } from '../let-go.js';
import type { MuxStream } from '../mux-stream.js';
import type { Session } from '../session.js';
import { SpdyConnection, type IncomingStream } from '../spdy/connection.js';
import type { PortForwardTarget, StreamingBackend } from '../types.js';
import { join } from './join.js';

export interface ForwardOptions {
  readonly target: PortForwardTarget;
  readonly backend: StreamingBackend;
  readonly session: Session;
  /** Of the connections of all sessions. */
  readonly forwarded: Slots;
  /** For what a client is not told. */
  readonly logger: Logger;
}

/** The two streams of one forwarded connection. */
interface Pair {
  readonly port: number;
  data?: MuxStream;
  error?: MuxStream;
}

/** How long the second stream of a pair may take. */
const PAIR_MS = 30_000;

/** Forwards a connection for each pair of streams that the client opens, until the client leaves; they know nothing of one another. */
export async function forwardStreams(socket: Duplex, options: ForwardOptions): Promise<void> {
  const { session } = options;
  const pairs = new Map<string, Pair>();
  const onStream = (stream: IncomingStream): void => {
    const pair = addToPair(pairs, stream);
    if (pair?.data === undefined || pair.error === undefined) return;
    void forward({ ...pair, data: pair.data, error: pair.error }, options);
  };
  const connection = new SpdyConnection(socket, { onStream, onActivity: () => session.touch() });
  session.follow(connection.gone);
  session.signal.addEventListener('abort', () => void letGo(connection), { once: true });
  await connection.gone;
}

/** The pair that the stream belongs to, with it; undefined for a stream that is none of a pair's, which is refused. */
function addToPair(pairs: Map<string, Pair>, stream: IncomingStream): Pair | undefined {
  const { headers } = stream;
  const type = headers.get('streamtype');
  const port = portOf(headers.get('port'));
  if (port === undefined || (type !== 'data' && type !== 'error')) {
    refused(stream);
    return;
  }
  const id = requestId(stream, type);
  const pair = pairs.get(id) ?? { port };
  if (pair[type] !== undefined || pair.port !== port) {
    refused(stream);
    return;
  }
  pair[type] = stream.accept();
  if (pairs.delete(id)) return pair;
  pairs.set(id, pair);
  expire(pairs, id, pair);
  return pair;
}

function refused(stream: IncomingStream): undefined {
  stream.refuse();
}

/** Old clients name none: their data stream is the one after the error stream. */
function requestId({ id, headers }: IncomingStream, type: 'data' | 'error'): string {
  return headers.get('requestid') ?? `stream ${type === 'error' ? id : id - 2}`;
}

function portOf(text = ''): number | undefined {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  return port >= 1 && port <= 65_535 ? port : undefined;
}

/** Lets go of half a pair whose other half does not come. */
function expire(pairs: Map<string, Pair>, id: string, pair: Pair): void {
  const stream = pair.data ?? pair.error;
  const timer = setTimeout(() => {
    if (pairs.get(id) !== pair) return;
    pairs.delete(id);
    stream?.destroy();
  }, PAIR_MS);
  stream?.on('close', () => {
    clearTimeout(timer);
    if (pairs.get(id) === pair) pairs.delete(id);
  });
}

async function forward(
  { port, data, error }: Required<Pair>,
  { target, backend, session, forwarded, logger }: ForwardOptions,
): Promise<void> {
  error.resume();
  const stop = new AbortController();
  data.once('close', () => stop.abort());
  const release = forwarded.take();
  try {
    if (release === undefined) throw tooManyForwarded();
    await join(data, await backend.connect(target, port, stop.signal));
  } catch (failure) {
    // On any word here, Go clients close the connection with all its streams. That is right for a pod that is gone, but
    // not where nobody listens on one port.
    if (session.signal.aborted || stop.signal.aborted) logger.debug({ port }, 'a forwarded connection was given up');
    else if (hasCode(failure, 'unavailable'))
      logger.info({ port, error: describeError(failure) }, 'a connection is refused');
    else error.write(describeError(failure));
    data.destroy();
  } finally {
    release?.();
    error.end();
  }
}

/** One connection alone is refused with it, as where nobody listens. */
export function tooManyForwarded(): GantryError {
  return unavailable('too many connections are forwarded already');
}
