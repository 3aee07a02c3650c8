import { mkdtemp, rm } from 'node:fs/promises';
import { connect, type ClientHttp2Session, type OutgoingHttpHeaders } from 'node:http2';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, credentials, type CallOptions, type ServiceError } from '@grpc/grpc-js';

import { RPCS, type RpcName, type RpcTypes } from '../../api/cri/generated/services.js';
import { silentLogger, type Logger } from '../base/log.js';
import type { Handlers } from './handlers.js';
import { startServer, type RunningServer } from './server.js';

/** A server on a scratch socket with a client of it, for tests. */
export interface Bench {
  readonly server: RunningServer;
  readonly client: TestClient;
  readonly close: () => Promise<void>;
}

export interface BenchOptions {
  readonly ready?: boolean;
  readonly logger?: Logger;
}

export async function startBench(handlers: Handlers, options: BenchOptions = {}): Promise<Bench> {
  const directory = await mkdtemp(join(tmpdir(), 'gantry-server-'));
  const listen = join(directory, 'gantry.sock');
  const server = await startServer({ listen, handlers, logger: options.logger ?? silentLogger() });
  if (options.ready !== false) server.setReady();
  const client = new TestClient(server.address);
  const close = async (): Promise<void> => {
    client.close();
    await server.drain(0);
    await rm(directory, { recursive: true });
  };
  return { server, client, close };
}

interface MessageClass {
  decode(bytes: Uint8Array): object;
  encode(message: object): { finish(): Uint8Array };
}

/** A grpc-js client that speaks CRI; a failed call rejects with grpc-js' ServiceError. */
export class TestClient {
  readonly #client: Client;

  constructor(path: string) {
    this.#client = new Client(`unix:${path}`, credentials.createInsecure(), {
      'grpc.max_receive_message_length': 32 * 1024 * 1024,
      'grpc.max_send_message_length': 32 * 1024 * 1024,
    });
  }

  call<Name extends RpcName>(
    rpc: Name,
    request: Partial<RpcTypes[Name]['request']> = {},
    options: CallOptions & { signal?: AbortSignal } = {},
  ): Promise<Required<RpcTypes[Name]['response']>> {
    const classes: { request: MessageClass; response: MessageClass } = RPCS[rpc];
    const bytes = classes.request.encode(request).finish();
    return this.#unary(RPCS[rpc].path, bytes, options).then(
      (answer) => classes.response.decode(answer) as Required<RpcTypes[Name]['response']>,
    );
  }

  /** Sends bytes as they are to any path, known or not. */
  raw(path: string, bytes: Uint8Array): Promise<Buffer> {
    return this.#unary(path, bytes, {});
  }

  /** Starts a streaming call; the stream yields decoded responses. */
  stream<Name extends RpcName>(rpc: Name, options: CallOptions = {}) {
    const response: MessageClass = RPCS[rpc].response;
    const decode = (bytes: Buffer): RpcTypes[Name]['response'] => response.decode(bytes);
    return this.#client.makeServerStreamRequest(RPCS[rpc].path, toBuffer, decode, new Uint8Array(), options);
  }

  close(): void {
    this.#client.close();
  }

  #unary(path: string, bytes: Uint8Array, options: CallOptions & { signal?: AbortSignal }): Promise<Buffer> {
    const asIs = (answer: Buffer): Buffer => answer;
    return new Promise((resolve, reject) => {
      const call = this.#client.makeUnaryRequest(path, toBuffer, asIs, bytes, options, (error, answer) => {
        if (error !== null) reject(error);
        else resolve(answer ?? Buffer.alloc(0));
      });
      options.signal?.addEventListener('abort', () => call.cancel());
    });
  }
}

/** The status that a call failed with. */
export async function statusOf(call: Promise<unknown>): Promise<{ code: number; details: string }> {
  try {
    await call;
  } catch (error) {
    const { code, details } = error as ServiceError;
    return { code, details };
  }
  return { code: 0, details: '' };
}

function toBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** A bare HTTP/2 session, for what a gRPC client hides: lost connections and unread responses. */
export function connectHttp2(path: string): ClientHttp2Session {
  return connect('http://localhost', { createConnection: () => createConnection(path) });
}

/** The headers of a gRPC call; its body is a length-prefixed message. */
export function grpcHeaders(path: string): OutgoingHttpHeaders {
  return { ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' };
}
