import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';

import { endingsOf, type CommandClient } from '../command-client.js';
import type { ChannelProtocol, CommandProtocol } from '../protocols.js';
import type { Session } from '../session.js';
import type { Streams } from '../types.js';
import { ChannelConnection } from './channel-connection.js';

const CHANNEL = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4 } as const;

interface Options {
  readonly wanted: Streams;
  readonly protocol: ChannelProtocol & CommandProtocol;
  readonly session: Session;
}

/** The streams of an exec or attach on fixed channels; the client need open none. */
export function openCommandChannels(
  ws: WebSocket,
  socket: Duplex,
  { wanted, protocol, session }: Options,
): CommandClient {
  const { codec, closesChannels, statusForm } = protocol;
  const connection = new ChannelConnection(ws, socket, { codec, closesChannels, onActivity: () => session.touch() });
  session.follow(connection.gone);
  const stdout = wanted.stdout ? connection.open(CHANNEL.stdout) : undefined;
  const stderr = wanted.stderr ? connection.open(CHANNEL.stderr) : undefined;
  const error = connection.open(CHANNEL.error);
  for (const output of [stdout, stderr, error]) output?.resume();
  // As the peers do: older clients wait for it.
  connection.greet(wanted.stdout ? CHANNEL.stdout : wanted.stderr ? CHANNEL.stderr : CHANNEL.error);
  return {
    stdin: wanted.stdin ? connection.open(CHANNEL.stdin) : undefined,
    stdout,
    stderr,
    error,
    resize: wanted.tty ? connection.open(CHANNEL.resize) : undefined,
    statusForm,
    ...endingsOf(connection),
  };
}
