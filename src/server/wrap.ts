import type { ServerUnaryCall, ServerWritableStream, sendUnaryData } from '@grpc/grpc-js';

import { RPCS, type RpcName } from '../../api/cri/generated/services.js';
import { abortReason } from '../base/abort.js';
import {
  cancelled,
  codeFor,
  codeOf,
  deadlineExceeded,
  unimplemented,
  type ErrorCode,
  type GantryError,
} from '../base/errors.js';
import { giveBackMemory } from '../base/give-back-memory.js';
import type { Logger } from '../base/log.js';
import { inRequest } from '../base/request-scope.js';
import type { Calls, RunningCall } from './calls.js';
import { decodeRequest, encodeResponse } from './codec.js';
import { toStatus, type CallStatus } from './codes.js';
import type { CallContext, Handlers } from './handlers.js';
import { callScope, logDone, logFailed } from './log-call.js';
import { pump } from './pump.js';
import { unknownMethod } from './unknown-methods.js';

/** Told what a call came to; the code is absent for one that succeeded. */
export type CallObserver = (call: {
  readonly rpc: RpcName;
  readonly code?: ErrorCode;
  readonly seconds: number;
  readonly streams: boolean;
}) => void;

/** What all calls of one server share. */
export interface Host {
  readonly handlers: Handlers;
  readonly logger: Logger;
  readonly calls: Calls;
  /** Why the RPC is turned away for now, if it is: not ready yet, or shutting down. */
  readonly refusal: (rpc: RpcName) => GantryError | undefined;
  readonly observe?: CallObserver | undefined;
}

/** The part of a grpc-js call that both kinds share. */
type Incoming = Pick<ServerUnaryCall<Buffer, Buffer>, 'request' | 'cancelled' | 'getDeadline' | 'once' | 'off'>;

/** A handler when the RPC's name is known only at run time; its type was checked where the map was made. */
type AnyHandler<Result> = (request: object, ctx: CallContext) => Result;
type Outcome<Value> =
  { readonly ok: true; readonly value: Value } | { readonly ok: false; readonly status: CallStatus };

/** Of requests and responses after which the process looks whether it has memory to give back. */
const BIG_MESSAGE = 1024 * 1024;

/** A client stops waiting on its own clock, a little before the deadline that it announced has passed on ours. */
const DEADLINE_SLACK_MS = 100;

/** Serves an RPC with one response. */
export function wrapUnary(host: Host, rpc: RpcName) {
  return (call: ServerUnaryCall<Buffer, Buffer>, respond: sendUnaryData<Buffer>): void => {
    const work = async (handle: AnyHandler<Promise<object>>, request: object, ctx: CallContext): Promise<Buffer> =>
      encodeResponse(rpc, await handle(request, ctx));
    void runCall(host, { rpc, call, work }).then((outcome) => {
      if (outcome.ok) respond(null, outcome.value);
      else respond(outcome.status);
      if (outcome.ok && outcome.value.length > BIG_MESSAGE) giveBackMemory();
    });
  };
}

/** Serves an RPC with a stream of responses. */
export function wrapStream(host: Host, rpc: RpcName) {
  return (call: ServerWritableStream<Buffer, Buffer>): void => {
    const encode = (message: object): Buffer => encodeResponse(rpc, message);
    const work = (handle: AnyHandler<AsyncIterable<object>>, request: object, ctx: CallContext): Promise<void> =>
      pump(handle(request, ctx), call, { encode, signal: ctx.signal });
    void runCall(host, { rpc, call, work }).then((outcome) =>
      // Emitting an error is how a grpc-js stream ends with a status.
      outcome.ok ? call.end() : call.emit('error', outcome.status),
    );
  };
}

interface Job<Result, Value> {
  readonly rpc: RpcName;
  readonly call: Incoming;
  readonly work: (handle: AnyHandler<Result>, request: object, ctx: CallContext) => Promise<Value>;
}

/** Every call passes here, whatever its kind; it never rejects. */
async function runCall<Result, Value>(host: Host, job: Job<Result, Value>): Promise<Outcome<Value>> {
  const running = host.calls.begin(job.rpc);
  const stopWatching = watchClient(job.call, running);
  let logger = host.logger.child(callScope(running, {}));
  try {
    const handle = findHandler(host, job.rpc) as AnyHandler<Result>;
    const request = decodeRequest(job.rpc, job.call.request);
    const scope = callScope(running, request);
    logger = host.logger.child(scope);
    const value = await inRequest(scope, () => job.work(handle, request, contextOf(job.call, running, logger)));
    logDone(logger, running);
    observe(host, running);
    return { ok: true, value };
  } catch (thrown) {
    const error = codeOf(thrown) === undefined && running.signal.aborted ? abortReason(running.signal) : thrown;
    logFailed(logger, running, error);
    observe(host, running, codeFor(error));
    return { ok: false, status: toStatus(error) };
  } finally {
    stopWatching();
    running.end();
    if (job.call.request.length > BIG_MESSAGE) giveBackMemory();
  }
}

function observe(host: Host, { rpc, startedAt }: RunningCall, code?: ErrorCode): void {
  const seconds = (performance.now() - startedAt) / 1000;
  host.observe?.({ rpc, seconds, streams: RPCS[rpc].streams, ...(code === undefined ? {} : { code }) });
}

/** By their names on the wire: `/service/method`. */
const SERVICES = new Set(Object.values(RPCS).map(({ path }) => path.slice(1, path.lastIndexOf('/'))));

/** @throws unimplemented, or why the call is refused for now */
function findHandler(host: Host, rpc: RpcName): unknown {
  const handler = host.handlers[rpc];
  if (handler === undefined) throw unimplemented(unknownMethod(RPCS[rpc].path, SERVICES));
  const refusal = host.refusal(rpc);
  if (refusal !== undefined) throw refusal;
  return handler;
}

function contextOf(call: Incoming, running: RunningCall, logger: Logger): CallContext {
  const deadline = deadlineOf(call);
  return { requestId: running.id, logger, signal: running.signal, ...(deadline && { deadline }) };
}

/** grpc-js has Infinity for "none". */
function deadlineOf(call: Incoming): Date | undefined {
  const deadline = Number(call.getDeadline());
  return Number.isFinite(deadline) ? new Date(deadline) : undefined;
}

/** Aborts the call when its client leaves; watching ends with the call, since grpc-js reports its normal end too. */
function watchClient(call: Incoming, running: RunningCall): () => void {
  const onGone = (): void => {
    const deadline = deadlineOf(call);
    const late = deadline !== undefined && Date.now() >= deadline.getTime() - DEADLINE_SLACK_MS;
    running.abort(late ? deadlineExceeded(`rpc ${running.rpc}: the deadline passed`) : clientGone(running.rpc));
  };
  if (call.cancelled) onGone();
  call.once('cancelled', onGone);
  return () => call.off('cancelled', onGone);
}

function clientGone(rpc: RpcName): GantryError {
  return cancelled(`rpc ${rpc}: the client cancelled the call`);
}
