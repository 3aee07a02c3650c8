import type { RpcName, RpcTypes } from '../../api/cri/generated/services.js';
import type { Logger } from '../base/log.js';

/** What a handler knows of the call besides the request. */
export interface CallContext {
  /** Unique among the calls of this process; every log line of the call carries it. */
  readonly requestId: string;
  readonly logger: Logger;
  /** Fires when the client cancels or goes away, when the deadline passes, or when a drain gives up waiting. */
  readonly signal: AbortSignal;
  /** When the client stops waiting; absent when it set none. */
  readonly deadline?: Date;
}

/** A response, or its protobuf bytes where the handler has them already. */
export type Response<Name extends RpcName> = RpcTypes[Name]['response'] | Uint8Array;

/**
 * Serves one RPC. A streaming one yields its responses and returns when the stream ends; the wrapper stops
 * reading it when the call is over.
 */
export type Handler<Name extends RpcName> = (
  request: RpcTypes[Name]['request'],
  ctx: CallContext,
) => RpcTypes[Name]['streams'] extends true ? AsyncIterable<Response<Name>> : Promise<Response<Name>>;

/** The RPCs that are served; one without a handler answers Unimplemented. */
export type Handlers = { readonly [Name in RpcName]?: Handler<Name> };
