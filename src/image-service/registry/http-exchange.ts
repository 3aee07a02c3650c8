import { request as requestPlain, type Agent, type ClientRequest, type IncomingHttpHeaders } from 'node:http';
import { request as requestSecure } from 'node:https';
import type { SecureContext } from 'node:tls';
import { urlToHttpOptions } from 'node:url';

import { abortReason } from '../../base/abort.js';
import { makeSysError } from '../../base/sys/libc.js';
import { HttpBody } from './http-body.js';

/** To be read once, or destroyed. */
export interface AnswerBody extends AsyncIterable<Uint8Array> {
  destroy(): void;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: AnswerBody;
  /** Who answered: after redirects another than who was asked. */
  readonly origin: string;
}

export interface HttpTimeouts {
  /** To a connection, with its TLS handshake and its way through a proxy. */
  readonly connectMs: number;
  readonly headersMs: number;
  /** Silence in the middle of a body; time that we take ourselves does not count. */
  readonly stallMs: number;
  /** Bytes a second that a body must have over `stallMs`, while somebody waits for it; 0: any. */
  readonly minRate: number;
}

export interface ExchangeOptions {
  readonly method: 'GET' | 'POST';
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly agent: Agent;
  /** How to trust a server that is reached by TLS. */
  readonly tls: { readonly secureContext?: SecureContext | undefined; readonly rejectUnauthorized: boolean };
  readonly timeouts: HttpTimeouts;
}

/**
 * Sends one request, on a connection of the agent's.
 * @throws errors of Node's; ETIMEDOUT if it takes too long; cancelled or deadline-exceeded for the signal
 */
export function exchange(url: URL, options: ExchangeOptions): Promise<HttpAnswer> {
  const { timeouts, signal, body, tls, ...rest } = options;
  const bodyOptions = { stallMs: timeouts.stallMs, minRate: timeouts.minRate };
  const send = url.protocol === 'https:' ? requestSecure : requestPlain;
  return new Promise((resolve, reject) => {
    // The user and password of an address are nobody's credentials here.
    const request = send({ ...urlToHttpOptions(url), auth: undefined, ...rest, ...tls });
    request.on('error', reject);
    request.once('response', (message) => {
      const answered = new HttpBody(message, { ...bodyOptions, origin: url.origin, signal });
      resolve({ status: message.statusCode ?? 0, headers: message.headers, body: answered, origin: url.origin });
    });
    // A request that has no connection yet keeps its error to itself.
    const end = (error: Error): void => {
      reject(error);
      request.destroy(error);
    };
    limitTime(request, timeouts, end);
    refuseProxysAnswer(request, end);
    endBySignal(request, signal, end);
    request.end(body);
  });
}

type End = (error: Error) => void;

function limitTime(request: ClientRequest, { connectMs, headersMs }: HttpTimeouts, end: End): void {
  const late = (what: string, ms: number): NodeJS.Timeout =>
    setTimeout(() => end(makeSysError('ETIMEDOUT', 'connect', `${what} within ${ms / 1000} s`)), ms);
  let timer = late('no connection', connectMs);
  const stop = (): void => clearTimeout(timer);
  const connected = (): void => {
    stop();
    if (!request.destroyed) timer = late('no headers', headersMs);
  };
  request.once('socket', (socket) => {
    if (request.reusedSocket) connected();
    else if ('encrypted' in socket) socket.once('secureConnect', connected);
    else if (socket.connecting) socket.once('connect', connected);
    else connected();
  });
  request.once('error', stop).once('response', stop).once('close', stop);
}

/** What a proxy says in place of opening a tunnel must not be taken for the server's answer: nothing vouches for it. */
function refuseProxysAnswer(request: ClientRequest, end: End): void {
  request.once('proxyConnect', ({ statusCode }: { readonly statusCode?: number }) => {
    if (statusCode === undefined || statusCode === 200) return;
    end(makeSysError('ECONNREFUSED', 'connect', `the proxy answers ${statusCode}`));
  });
}

function endBySignal(request: ClientRequest, signal: AbortSignal | undefined, end: End): void {
  if (signal === undefined) return;
  const onAbort = (): void => end(abortReason(signal));
  if (signal.aborted) onAbort();
  signal.addEventListener('abort', onAbort, { once: true });
  request.once('close', () => signal.removeEventListener('abort', onAbort));
}
