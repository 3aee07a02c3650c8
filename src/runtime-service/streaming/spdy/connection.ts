import type { Duplex } from 'node:stream';

import { codeOf, invalidArgument, resourceExhausted, wrapError, type GantryError } from '../../../base/errors.js';
import { Backlog } from '../backlog.js';
import type { Connection } from '../command-client.js';
import { endStream } from '../end-stream.js';
import { lingeringClose } from '../linger.js';
import { MuxStream } from '../mux-stream.js';
import { Outlet } from '../outlet.js';
import { FrameParser, type ControlFrame } from './frame-parser.js';
import {
  dataFrame,
  FLAG_FIN,
  FLAG_UNIDIRECTIONAL,
  goAway,
  GOODBYE,
  ping,
  readStreamId,
  RESET,
  rstStream,
  synReply,
  TYPE,
} from './frames.js';
import { EmptyHeaderWriter, HeaderReader, type Headers } from './header-block.js';

/** A stream that the client wants; exactly one of the two is called, at once. */
export interface IncomingStream {
  readonly id: number;
  readonly headers: Headers;
  accept(): MuxStream;
  refuse(): void;
}

export interface SpdyOptions {
  onStream(stream: IncomingStream): void;
  /** Something went either way; pings do not count. */
  onActivity(): void;
}

/** Of one connection; a forwarded connection takes two. */
const MAX_STREAMS = 2048;

/** The server's end of one SPDY/3.1 connection (draft 3.1), as Kubernetes' clients use it: they open streams, and know no windows. */
export class SpdyConnection implements Connection {
  readonly gone: Promise<GantryError | undefined>;
  readonly #socket: Duplex;
  readonly #options: SpdyOptions;
  readonly #outlet: Outlet;
  readonly #backlog: Backlog;
  readonly #parser = new FrameParser({
    onControl: (frame) => this.#onControl(frame),
    onData: (id, part, flags) => this.#onData(id, part, flags),
  });
  readonly #headersIn = new HeaderReader();
  readonly #headersOut = new EmptyHeaderWriter();
  readonly #streams = new Map<number, MuxStream>();
  #lastId = 0;
  #pingId = 0;
  #failure: GantryError | undefined;
  #finished = false;

  constructor(socket: Duplex, options: SpdyOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#outlet = new Outlet(socket);
    const probe = (): void => this.#reply(ping((this.#pingId += 2)));
    this.#backlog = new Backlog({ pause: () => socket.pause(), resume: () => socket.resume(), probe });
    this.gone = new Promise((resolve) => socket.on('close', () => resolve(this.#failure)));
    socket.on('close', () => this.#onClose());
    socket.on('error', () => socket.destroy());
    // A client that sends no more has left: streams have half-closes of their own.
    socket.on('end', () => socket.destroy());
    socket.on('data', (chunk: Buffer) => this.#onBytes(chunk));
  }

  async finish(): Promise<void> {
    const streams = [...this.#streams.values()];
    for (const stream of streams) stream.resume();
    // Go clients wait for the end of what they write to, too.
    await Promise.all(streams.map((stream) => endStream(stream)));
    if (this.#finished || this.#socket.destroyed) return;
    this.#finished = true;
    this.#outlet.reply(goAway(this.#lastId, GOODBYE.ok));
    this.#backlog.stop();
    await lingeringClose(this.#socket);
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #onBytes(chunk: Buffer): void {
    if (this.#finished || this.#failure !== undefined) return;
    try {
      this.#parser.push(chunk);
    } catch (error) {
      this.#fail(
        codeOf(error) === undefined ? wrapError(error, 'spdy: cannot serve the connection') : (error as GantryError),
      );
    }
  }

  /** Only this connection ends. */
  #fail(error: GantryError): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.#outlet.reply(goAway(this.#lastId, GOODBYE.protocolError));
    this.#socket.destroy();
  }

  #onClose(): void {
    this.#backlog.stop();
    for (const stream of this.#streams.values()) stream.destroy();
    this.#streams.clear();
  }

  #onData(id: number, part: Buffer, flags: number): void {
    if (id === 0 || id > this.#lastId) throw invalidArgument(`spdy: data for stream ${id}, which is none`);
    // What was reset meanwhile is still sent to for a while.
    const stream = this.#streams.get(id);
    if (part.length > 0) this.#options.onActivity();
    stream?.receive(part);
    if ((flags & FLAG_FIN) !== 0) stream?.receiveEnd();
  }

  #onControl({ type, flags, payload }: ControlFrame): void {
    switch (type) {
      case TYPE.synStream: {
        this.#onSynStream(payload, flags);
        return;
      }
      case TYPE.synReply:
      case TYPE.headers:
        // Unused, but their compression is the streams' own.
        this.#headersIn.read(rest(payload, 4));
        return;
      case TYPE.rstStream:
        this.#streams.get(readStreamId(rest(payload, 0, 8)))?.destroy();
        return;
      case TYPE.ping: {
        this.#onPing(rest(payload, 0, 4).readUInt32BE());
        return;
      }
      default:
      // SETTINGS, WINDOW_UPDATE and GOAWAY ask for nothing; what is unknown is ignored (2.2.1).
    }
  }

  #onSynStream(payload: Buffer, flags: number): void {
    const id = readStreamId(rest(payload, 0, 10));
    const headers = this.#headersIn.read(payload.subarray(10));
    if (id % 2 === 0 || id <= this.#lastId)
      throw invalidArgument(`spdy: stream ${id} opened after stream ${this.#lastId}`);
    this.#lastId = id;
    this.#options.onActivity();
    if (this.#streams.size >= MAX_STREAMS) {
      this.#reply(rstStream(id, RESET.refusedStream));
      return;
    }
    const refuse = (): void => this.#reply(rstStream(id, RESET.protocolError));
    this.#options.onStream({ id, headers, accept: () => this.#open(id, flags), refuse });
  }

  /** SYN_REPLY goes out at once: Go clients drop data that comes before it. */
  #open(id: number, flags: number): MuxStream {
    const stream = new MuxStream(
      {
        send: (chunk, done) => this.#send(id, chunk, done),
        end: () => this.#send(id, Buffer.alloc(0), () => undefined),
        reset: () => this.#reply(rstStream(id, RESET.cancel)),
      },
      this.#backlog,
    );
    this.#streams.set(id, stream);
    stream.on('close', () => this.#streams.delete(id));
    this.#reply(synReply(id, this.#headersOut.next()));
    if ((flags & FLAG_FIN) !== 0) stream.receiveEnd();
    if ((flags & FLAG_UNIDIRECTIONAL) !== 0) stream.end();
    return stream;
  }

  /** An empty chunk is the half-close. */
  #send(id: number, chunk: Buffer, done: (error?: Error | null) => void): void {
    this.#options.onActivity();
    this.#outlet.write(dataFrame(id, chunk, chunk.length === 0 ? FLAG_FIN : 0), done);
  }

  /** The odd ones are the client's own; the others answer ours (2.6.5). */
  #onPing(id: number): void {
    if (id % 2 === 1) this.#reply(ping(id));
  }

  #reply(frame: Buffer): void {
    if (this.#finished || this.#outlet.reply(frame)) return;
    this.#fail(resourceExhausted('spdy: the client demands answers and does not read them'));
  }
}

/** The part of a frame from `start` on, of at least `least` bytes in all. */
function rest(payload: Buffer, start: number, least = start): Buffer {
  if (payload.length < least) throw invalidArgument(`spdy: a control frame of ${payload.length} bytes is too short`);
  return payload.subarray(start);
}
