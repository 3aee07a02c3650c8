import type { Duplex } from 'node:stream';

import { abortable, withDeadline } from '../../../base/abort.js';
import { internal, wrapError } from '../../../base/errors.js';
import { endingsOf, type CommandClient } from '../command-client.js';
import type { MuxStream } from '../mux-stream.js';
import type { CommandProtocol } from '../protocols.js';
import type { Session } from '../session.js';
import type { Streams } from '../types.js';
import { SpdyConnection, type IncomingStream } from './connection.js';

/** How long a client may take to open its streams; Go clients wait for the answer to each. */
const OPEN_MS = 30_000;

interface Options {
  readonly wanted: Streams;
  readonly protocol: CommandProtocol;
  readonly session: Session;
}

/**
 * Waits until the client has opened a stream for everything that was asked for. Nothing is sent before, since Go clients open one after
 * another and read none meanwhile.
 * @throws deadline-exceeded if it does not; what ended the connection, if it is gone
 */
export async function openCommandStreams(
  socket: Duplex,
  { wanted, protocol, session }: Options,
): Promise<CommandClient> {
  const missing = expectedTypes(wanted, protocol);
  const open = new Map<string, MuxStream>();
  let complete = (): void => undefined;
  const allOpen = new Promise<void>((resolve) => (complete = resolve));
  const onStream = (stream: IncomingStream): void => {
    const type = stream.headers.get('streamtype') ?? '';
    if (!missing.delete(type)) {
      stream.refuse();
      return;
    }
    open.set(type, stream.accept());
    if (missing.size === 0) complete();
  };
  const connection = new SpdyConnection(socket, { onStream, onActivity: () => session.touch() });
  session.follow(connection.gone);
  try {
    await withDeadline(OPEN_MS, session.signal, (stop) => abortable(allOpen, stop));
  } catch (error) {
    connection.destroy();
    throw wrapError(error, 'the client has not opened its streams');
  }
  return toClient(open, connection, protocol);
}

function expectedTypes({ stdin, stdout, stderr, tty }: Streams, { resizes }: CommandProtocol): Set<string> {
  const types = { error: true, stdin, stdout, stderr, resize: tty && resizes };
  return new Set(Object.entries(types).flatMap(([type, wanted]) => (wanted ? [type] : [])));
}

function toClient(
  open: ReadonlyMap<string, MuxStream>,
  connection: SpdyConnection,
  { statusForm }: CommandProtocol,
): CommandClient {
  const [stdout, stderr, error] = ['stdout', 'stderr', 'error'].map((type) => open.get(type));
  if (error === undefined) throw internal('a client without an error stream');
  // Nobody reads what a client sends on these.
  for (const output of [stdout, stderr, error]) output?.resume();
  const [stdin, resize] = ['stdin', 'resize'].map((type) => open.get(type));
  return { stdin, stdout, stderr, error, resize, statusForm, ...endingsOf(connection) };
}
