import type { Server, ServerUnaryCall, sendUnaryData } from '@grpc/grpc-js';

import { invalidArgument } from '../base/errors.js';
import type { Logger } from '../base/log.js';
import { describeError } from '../base/errors.js';
import { toStatus } from './codes.js';

/** Serves one call of the `gantry` command: JSON in, JSON out. The signal fires when the caller goes away. */
export type AdminHandler = (request: Readonly<Record<string, unknown>>, signal: AbortSignal) => Promise<object>;

/** Calls beside CRI, by name: the path is `/gantry.v1.Admin/<name>`. */
export type AdminHandlers = Readonly<Record<string, AdminHandler>>;

/** Registers the daemon's own service; it shares the socket and so who may use it. */
export function registerAdmin(
  server: Server,
  handlers: AdminHandlers,
  options: { logger: Logger; ready: () => Error | undefined },
): void {
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
  const refusal = ready();
  if (refusal !== undefined) throw refusal;
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
