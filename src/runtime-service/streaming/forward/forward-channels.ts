import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';

import { describeError } from '../../../base/errors.js';
import { letGo } from '../let-go.js';
import type { MuxStream } from '../mux-stream.js';
import type { ChannelProtocol } from '../protocols.js';
import { ChannelConnection } from '../websocket/channel-connection.js';
import { tooManyForwarded, type ForwardOptions } from './forward-streams.js';
import { join } from './join.js';

/**
 * One connection to each port that the request has named: the data of the n-th on channel 2n, its errors on 2n+1. Both begin with the port,
 * little-endian.
 */
export async function forwardChannels(
  { ws, socket, protocol }: { readonly ws: WebSocket; readonly socket: Duplex; readonly protocol: ChannelProtocol },
  options: ForwardOptions,
): Promise<void> {
  const { session, target } = options;
  const connection = new ChannelConnection(ws, socket, { ...protocol, onActivity: () => session.touch() });
  session.follow(connection.gone);
  session.signal.addEventListener('abort', () => void letGo(connection), { once: true });
  const ports = target.ports.map((port, index) => {
    const [data, error] = [connection.open(2 * index), connection.open(2 * index + 1)];
    return forward({ port, data, error }, options);
  });
  await Promise.all(ports);
  await connection.finish();
  await connection.gone;
}

async function forward(
  { port, data, error }: { readonly port: number; readonly data: MuxStream; readonly error: MuxStream },
  { target, backend, forwarded }: ForwardOptions,
): Promise<void> {
  const name = Buffer.alloc(2);
  name.writeUInt16LE(port);
  data.write(name);
  error.write(name);
  error.resume();
  const stop = new AbortController();
  data.once('close', () => stop.abort());
  const release = forwarded.take();
  try {
    if (release === undefined) throw tooManyForwarded();
    const pod = await backend.connect(target, port, stop.signal);
    // Nobody can half-close a channel: the pod's end is the client's.
    pod.once('end', () => data.receiveEnd());
    await join(data, pod);
  } catch (failure) {
    error.write(describeError(failure));
    data.destroy();
  } finally {
    release?.();
  }
}
