import type { Server, ServerUnaryCall, ServerWritableStream, sendUnaryData } from '@grpc/grpc-js';

import { cancelled, describeError, invalidArgument } from '../base/errors.js';
import type { Logger } from '../base/log.js';
import { toStatus } from './codes.js';
import { pump } from './pump.js';

/** Serves one call of the `gantry` command: JSON in, JSON out. The signal fires when the caller goes away. */
export type AdminHandler = (request: Readonly<Record<string, unknown>>, signal: AbortSignal) => Promise<object>;

/** Calls beside CRI, by name: the path is `/gantry.v1.Admin/<name>`. */
export type AdminHandlers = Readonly<Record<string, AdminHandler>>;

/** Serves a call with many answers, objects or bytes; it is read no faster than the caller reads. */
export type AdminStream = (
  request: Readonly<Record<string, unknown>>,
  signal: AbortSignal,
) => AsyncIterable<object | Uint8Array>;

export type AdminStreams = Readonly<Record<string, AdminStream>>;

interface AdminOptions {
  readonly logger: Logger;
  readonly ready: () => Error | undefined;
}

/** Registers the calls that have many answers: JSON, or bytes after a zero byte, which no JSON begins with. */
export function registerAdminStreams(server: Server, streams: AdminStreams, { logger, ready }: AdminOptions): void {
  const asIs = (bytes: Buffer): Buffer => bytes;
  for (const [name, stream] of Object.entries(streams)) {
    const serve = (call: ServerWritableStream<Buffer, Buffer>): void => {
      const gone = new AbortController();
      call.on('cancelled', () => gone.abort(cancelled(`${name}: the client cancelled the call`)));
      const { signal } = gone;
      void Promise.resolve()
        .then(() => refuse(ready()))
        .then(() => pump(stream(parse(call.request), signal), call, { encode: toMessage, signal }))
        .then(
          () => call.end(),
          (error: unknown) => {
            logger.warn({ rpc: name, error: describeError(error) }, 'admin call failed');
            call.emit('error', toStatus(error));
          },
        );
    };
    server.register(`/gantry.v1.Admin/${name}`, serve, asIs, asIs, 'serverStream');
  }
}

function refuse(refusal: Error | undefined): void {
  if (refusal !== undefined) throw refusal;
}

function toMessage(message: object): Buffer {
  return ArrayBuffer.isView(message)
    ? Buffer.concat([Buffer.alloc(1), message as Uint8Array])
    : Buffer.from(JSON.stringify(message));
}

/** Registers the daemon's own service; it shares the socket and so who may use it. */
export function registerAdmin(server: Server, handlers: AdminHandlers, options: AdminOptions): void {
  const asIs = (bytes: Buffer): Buffer => bytes;
  for (const [name, handler] of Object.entries(handlers)) {
    const serve = (call: ServerUnaryCall<Buffer, Buffer>, respond: sendUnaryData<Buffer>): void => {
      const gone = new AbortController();
      call.on('cancelled', () => gone.abort());
      const serveOne = (request: Readonly<Record<string, unknown>>): Promise<object> => handler(request, gone.signal);
      void answer(call.request, serveOne, options.ready).then(
        (bytes) => respond(null, bytes),
        (error: unknown) => {
          options.logger.warn({ rpc: name, error: describeError(error) }, 'admin call failed');
          respond(toStatus(error));
        },
      );
    };
    server.register(`/gantry.v1.Admin/${name}`, serve, asIs, asIs, 'unary');
  }
}

async function answer(
  request: Buffer,
  serve: (request: Readonly<Record<string, unknown>>) => Promise<object>,
  ready: () => Error | undefined,
): Promise<Buffer> {
  refuse(ready());
  return Buffer.from(JSON.stringify(await serve(parse(request))));
}

function parse(request: Buffer): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(request.toString());
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch (error) {
    throw invalidArgument('the request is not JSON', error);
  }
  throw invalidArgument('the request is no object');
}
