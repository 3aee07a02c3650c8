import type { Duplex } from 'node:stream';
import type { RawData, WebSocket } from 'ws';

import { invalidArgument, unavailable, type GantryError } from '../../../base/errors.js';
import { Backlog } from '../backlog.js';
import type { Connection } from '../command-client.js';
import { endStream } from '../end-stream.js';
import { hasLeft } from '../linger.js';
import { MuxStream } from '../mux-stream.js';
import { Outlet } from '../outlet.js';
import type { ChannelCodec } from './channel-codec.js';

/** v5: the message `[255, channel]` is the half-close of the channel. */
const CLOSE_CHANNEL = 255;
/** How long a client may take to answer the end of its session. */
const CLOSE_MS = 10_000;
const STATUS = { normal: 1000, protocolError: 1002 } as const;

export interface ChannelOptions {
  readonly codec: ChannelCodec;
  /** Whether channels can be half-closed (v5). */
  readonly closesChannels: boolean;
  onActivity(): void;
}

/** A WebSocket whose messages begin with the number of their channel (Kubernetes' channel.k8s.io protocols). */
export class ChannelConnection implements Connection {
  readonly gone: Promise<GantryError | undefined>;
  readonly #ws: WebSocket;
  readonly #options: ChannelOptions;
  readonly #socket: Duplex;
  readonly #outlet: Outlet;
  readonly #backlog: Backlog;
  readonly #channels = new Map<number, MuxStream>();
  #failure: GantryError | undefined;
  #finished = false;

  /** `socket` is the one under the WebSocket, whose fullness is what counts. */
  constructor(ws: WebSocket, socket: Duplex, options: ChannelOptions) {
    this.#ws = ws;
    this.#socket = socket;
    this.#options = options;
    this.#outlet = new Outlet(socket);
    // A pong that nobody has asked for also tells a client, whose pings are not read meanwhile, that somebody is there.
    this.#backlog = new Backlog({ pause: () => ws.pause(), resume: () => ws.resume(), probe: () => ws.pong() });
    this.gone = new Promise((resolve) => ws.on('close', () => resolve(this.#failure)));
    ws.on('close', () => this.#onClose());
    ws.on('error', (error) => this.#fail(invalidArgument('websocket: the client breaks the protocol', error)));
    ws.on('message', (data) => this.#onMessage(toBuffer(data)));
  }

  /** Opens the stream of a channel; what comes for others is dropped. */
  open(channel: number): MuxStream {
    const { codec } = this.#options;
    const stream = new MuxStream(
      {
        send: (chunk, done) => this.#send(codec.encode(channel, chunk), done),
        // Clients know no end of what they read but that of the session.
        end: () => undefined,
        reset: () => undefined,
      },
      this.#backlog,
    );
    this.#channels.set(channel, stream);
    return stream;
  }

  /** An empty message on the channel: the session has begun. */
  greet(channel: number): void {
    this.#send(this.#options.codec.encode(channel, Buffer.alloc(0)), () => undefined);
  }

  async finish(): Promise<void> {
    const channels = [...this.#channels.values()];
    for (const stream of channels) stream.resume();
    await Promise.all(channels.map((stream) => endStream(stream)));
    // From the close on, the client has little time.
    if (!this.#socket.destroyed) await hasLeft(this.#socket);
    this.#finished = true;
    this.#backlog.stop();
    this.#close(STATUS.normal);
  }

  destroy(): void {
    this.#ws.terminate();
  }

  #send(message: Buffer | string, done: (error?: Error | null) => void): void {
    if (this.#ws.readyState !== this.#ws.OPEN) {
      done(unavailable('the client is gone'));
      return;
    }
    this.#options.onActivity();
    this.#ws.send(message, { binary: typeof message !== 'string', compress: false });
    this.#outlet.await(done);
  }

  #onMessage(message: Buffer): void {
    if (this.#finished || message.length === 0) return;
    this.#options.onActivity();
    if (this.#options.closesChannels && message[0] === CLOSE_CHANNEL) {
      this.#onHalfClose(message);
      return;
    }
    try {
      const { channel, data } = this.#options.codec.decode(message);
      this.#channels.get(channel)?.receive(data);
    } catch (error) {
      this.#fail(error as GantryError);
    }
  }

  #onHalfClose(message: Buffer): void {
    const channel = message[1];
    if (message.length !== 2 || channel === undefined) {
      this.#fail(invalidArgument('websocket: not one channel to close'));
      return;
    }
    this.#channels.get(channel)?.receiveEnd();
  }

  /** Only this connection ends. */
  #fail(error: GantryError): void {
    this.#failure ??= error;
    this.#backlog.stop();
    this.#close(STATUS.protocolError);
  }

  #close(code: number): void {
    if (this.#ws.readyState === this.#ws.CLOSED) return;
    this.#ws.close(code);
    const timer = setTimeout(() => this.#ws.terminate(), CLOSE_MS);
    this.#ws.once('close', () => clearTimeout(timer));
  }

  #onClose(): void {
    this.#backlog.stop();
    for (const stream of this.#channels.values()) stream.destroy();
    this.#socket.destroy();
  }
}

function toBuffer(data: RawData): Buffer {
  if (Array.isArray(data)) return Buffer.concat(data);
  return Buffer.isBuffer(data) ? data : Buffer.from(data);
}
