import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import { pipeline } from 'node:stream/promises';
import type { Duplex } from 'node:stream';
import { constants, createDeflate } from 'node:zlib';

import { cancelled, unavailable } from '../../base/errors.js';
import { silentLogger } from '../../base/log.js';
import { endOf, start } from '../../base/spawn.js';
import { StreamingServer, type StreamingServerOptions } from './server.js';
import { DICTIONARY } from './spdy/dictionary.js';
import { FrameParser, type ControlFrame } from './spdy/frame-parser.js';
import { controlFrame, dataFrame, FLAG_FIN, readStreamId, RESET, rstStream, TYPE } from './spdy/frames.js';
import type { ExecTarget, StreamingBackend, StreamSession, TerminalSize } from './types.js';

/** Runs commands of this host instead of a container's, and connects to its ports. */
export class HostBackend implements StreamingBackend {
  readonly sizes: TerminalSize[] = [];
  /** Of commands under way. */
  readonly pids = new Set<number>();

  async exec({ command: [program = '', ...args] }: ExecTarget, session: StreamSession): Promise<{ exitCode: number }> {
    session.onResize((size) => this.sizes.push(size));
    const child = start(program, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    const { pid } = child;
    const kill = (): void => {
      if (pid !== undefined && this.pids.has(pid)) process.kill(-pid, 'SIGKILL');
    };
    session.signal.addEventListener('abort', kill);
    if (pid !== undefined) this.pids.add(pid);
    if (child.stdin !== null) {
      if (session.stdin === undefined) child.stdin.end();
      else pipeline(session.stdin, child.stdin).catch(() => undefined);
    }
    const outputs = [
      [child.stdout, session.stdout],
      [child.stderr, session.stderr],
    ] as const;
    const carried = outputs.map(async ([from, to]) => {
      if (from === null) return;
      if (to === undefined) from.resume();
      else await pipeline(from, to, { end: false }).catch(() => undefined);
    });
    const exitCode = await endOf(child, program, 'exit');
    if (pid !== undefined) this.pids.delete(pid);
    await Promise.all(carried);
    if (session.signal.aborted) throw cancelled('the command was killed');
    return { exitCode };
  }

  async attach(_target: unknown, session: StreamSession): Promise<void> {
    await this.exec({ kind: 'exec', containerId: 'c', command: ['cat'], ...ALL }, session);
  }

  async connect(_target: unknown, port: number, signal?: AbortSignal): Promise<Socket> {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    try {
      await once(socket, 'connect', signal === undefined ? {} : { signal });
    } catch (error) {
      throw unavailable(`port ${port}`, error);
    }
    return socket;
  }
}

export const ALL = { stdin: true, stdout: true, stderr: true, tty: false } as const;

/** A target that runs a shell's script. */
export function shell(script: string, streams: Partial<ExecTarget> = {}): ExecTarget {
  return { kind: 'exec', containerId: 'c', command: ['/bin/sh', '-c', script], ...ALL, ...streams };
}

export function startStreaming(options: Partial<StreamingServerOptions> = {}): Promise<StreamingServer> {
  return StreamingServer.start({
    address: '127.0.0.1',
    port: 0,
    idleMs: 0,
    maxSessions: 100,
    maxWaiting: 100,
    maxForwarded: 1_000,
    backend: new HostBackend(),
    logger: silentLogger(),
    ...options,
  });
}

/** An answer to an upgrade. */
export interface Upgraded {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  /** Of an accepted one. */
  readonly socket?: Socket;
  readonly head: Buffer;
  /** Of a refused one. */
  readonly body: string;
}

/** Asks for an upgrade to SPDY, or to what the headers say. */
export async function upgrade(url: string, headers: Record<string, string | string[]>): Promise<Upgraded> {
  const method = headers['Upgrade'] === 'websocket' ? 'GET' : 'POST';
  const asked = request(url, { method, headers: { Connection: 'Upgrade', Upgrade: 'SPDY/3.1', ...headers } });
  asked.end();
  return new Promise((resolve, reject) => {
    asked.on('error', reject);
    asked.on('upgrade', (response, socket: Socket, head) => {
      resolve({ status: response.statusCode ?? 0, headers: response.headers, socket, head, body: '' });
    });
    asked.on('response', (response) => {
      let body = '';
      response.on('data', (chunk: Buffer) => (body += chunk.toString()));
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, head: Buffer.alloc(0), body }),
      );
    });
  });
}

/** What came on one stream of a {@link SpdyClient}. */
export interface Received {
  data: Buffer[];
  replied: boolean;
  ended: boolean;
  reset: number | undefined;
}

/** A client that speaks as Go's do: compressed headers with shared state, odd ids, no windows. */
export class SpdyClient {
  readonly socket: Duplex;
  readonly streams = new Map<number, Received>();
  readonly controls: ControlFrame[] = [];
  readonly closed: Promise<unknown>;
  #nextId = 1;
  readonly #deflate = createDeflate({ dictionary: DICTIONARY });
  readonly #changes: (() => void)[] = [];

  constructor(socket: Duplex, head: Buffer = Buffer.alloc(0)) {
    this.socket = socket;
    const parser = new FrameParser({
      onControl: (frame) => this.#onControl(frame),
      onData: (id, part, flags) => this.#onData(id, part, flags),
    });
    this.closed = once(socket, 'close');
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => parser.push(chunk));
    socket.on('close', () => this.#changed());
    if (head.length > 0) parser.push(head);
  }

  static async connect(url: string, protocol: string | string[]): Promise<SpdyClient> {
    const { socket, head, status } = await upgrade(url, { 'X-Stream-Protocol-Version': protocol });
    if (socket === undefined) throw unavailable(`no upgrade: ${status}`);
    return new SpdyClient(socket, head);
  }

  /** Opens a stream and waits for the answer. */
  async open(headers: Record<string, string>): Promise<number> {
    const id = this.#nextId;
    this.#nextId += 2;
    this.streams.set(id, { data: [], replied: false, ended: false, reset: undefined });
    const payload = Buffer.concat([words(id, 0), Buffer.alloc(2), await this.compress(headers)]);
    this.socket.write(controlFrame(TYPE.synStream, payload));
    await this.until(() => this.stream(id).replied || this.stream(id).reset !== undefined);
    return id;
  }

  async compress(headers: Record<string, string>): Promise<Buffer> {
    const entries = Object.entries(headers);
    const texts = entries.flat().map((text) => Buffer.concat([words(text.length), Buffer.from(text)]));
    const parts: Buffer[] = [];
    const collect = (part: Buffer): unknown => parts.push(part);
    this.#deflate.on('data', collect);
    this.#deflate.write(Buffer.concat([words(entries.length), ...texts]));
    await new Promise<void>((resolve) => this.#deflate.flush(constants.Z_SYNC_FLUSH, resolve));
    this.#deflate.off('data', collect);
    return Buffer.concat(parts);
  }

  send(id: number, data: string | Buffer): void {
    this.socket.write(dataFrame(id, Buffer.from(data)));
  }

  end(id: number): void {
    this.socket.write(dataFrame(id, Buffer.alloc(0), FLAG_FIN));
  }

  reset(id: number): void {
    this.socket.write(rstStream(id, RESET.cancel));
  }

  stream(id: number): Received {
    const stream = this.streams.get(id);
    if (stream === undefined) throw unavailable(`stream ${id} was not opened`);
    return stream;
  }

  text(id: number): string {
    return Buffer.concat(this.stream(id).data).toString();
  }

  /** The text of a stream after its end. */
  async whole(id: number): Promise<string> {
    await this.until(() => this.stream(id).ended);
    return this.text(id);
  }

  /** Waits for something that a frame or the end of the connection brings. */
  async until(done: () => boolean): Promise<void> {
    while (!done()) {
      if (this.socket.destroyed) throw unavailable('the server has closed the connection');
      await new Promise<void>((resolve) => this.#changes.push(resolve));
    }
  }

  #onData(id: number, part: Buffer, flags: number): void {
    const stream = this.stream(id);
    stream.data.push(part);
    if ((flags & FLAG_FIN) !== 0) stream.ended = true;
    this.#changed();
  }

  #onControl(frame: ControlFrame): void {
    this.controls.push(frame);
    const id = readStreamId(frame.payload);
    if (frame.type === TYPE.synReply) this.stream(id).replied = true;
    if (frame.type === TYPE.rstStream) this.stream(id).reset = frame.payload.readUInt32BE(4);
    this.#changed();
  }

  #changed(): void {
    for (const wake of this.#changes.splice(0)) wake();
  }
}

function words(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length);
  values.forEach((value, index) => bytes.writeUInt32BE(value, 4 * index));
  return bytes;
}
