import {
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createTlsServer, request as httpsRequest } from 'node:https';
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

import type { Certificates } from './certificates.js';

/** What the registry answered, before it goes on to who asked. */
export interface Answer {
  /** Without the query. */
  readonly path: string;
  /** First byte that was asked for. */
  readonly start: number;
  /** How often this path was asked for since the count began, from 1 on. */
  readonly times: number;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** Passes an answer on as it is, or spoils it. */
export type Fault = (answer: Answer, response: ServerResponse) => void | Promise<void>;

export interface Passed {
  readonly path: string;
  readonly start: number;
  /** Of the body, as it was handed to the connection. */
  sent: number;
  whole: boolean;
}

const KEPT = ['content-type', 'docker-content-digest', 'content-range', 'www-authenticate', 'location'];

/** Stands between the daemon and a real registry, spoils what it is told to, and counts what goes through. */
export class FaultProxy {
  readonly #server: Server;
  readonly #registry: string;
  readonly #tls: Certificates | undefined;
  fault: Fault = sendAll;
  passed: Passed[] = [];

  private constructor(registry: string, tls: Certificates | undefined) {
    this.#registry = registry;
    this.#tls = tls;
    const listener = (request: IncomingMessage, response: ServerResponse): void => void this.#pass(request, response);
    this.#server =
      tls === undefined
        ? createServer(listener)
        : createTlsServer({ cert: readFileSync(tls.cert), key: readFileSync(tls.key) }, listener);
  }

  /** @param tls makes both sides TLS. */
  static async start(registry: string, tls?: Certificates): Promise<FaultProxy> {
    const proxy = new FaultProxy(registry, tls);
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get url(): string {
    const { port } = this.#server.address() as AddressInfo;
    return `${this.#tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`;
  }

  /** Begins to count anew. */
  reset(fault: Fault = sendAll): void {
    this.fault = fault;
    this.passed = [];
  }

  /** Bytes that were sent of a blob. */
  sentOf(digest: string): number {
    return this.passed.filter(({ path }) => path.endsWith(digest)).reduce((sum, { sent }) => sum + sent, 0);
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  async #pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on('error', () => undefined);
    const [path = '/'] = (request.url ?? '/').split('?');
    const start = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
    const entry: Passed = { path, start, sent: 0, whole: false };
    this.passed.push(entry);
    count(response, entry);
    const times = this.passed.filter((other) => other.path === path).length;
    try {
      const answer = await this.#ask(request);
      await this.fault({ ...answer, path, start, times }, response);
    } catch {
      response.destroy();
    }
  }

  async #ask(request: IncomingMessage): Promise<Pick<Answer, 'status' | 'headers' | 'body'>> {
    const headers = { ...request.headers };
    delete headers.host;
    const options = { method: request.method, headers, ...(this.#tls && { ca: readFileSync(this.#tls.ca) }) };
    const send = this.#tls === undefined ? httpRequest : httpsRequest;
    const url = `${this.#tls === undefined ? 'http' : 'https'}://${this.#registry}${request.url ?? '/'}`;
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      send(url, options, resolve).on('error', reject).end();
    });
    const kept = KEPT.flatMap((name) =>
      answer.headers[name] === undefined ? [] : [[name, String(answer.headers[name])]],
    );
    return {
      status: answer.statusCode ?? 0,
      headers: Object.fromEntries(kept) as Record<string, string>,
      body: await buffer(answer),
    };
  }
}

export function sendAll({ status, headers, body }: Answer, response: ServerResponse): void {
  response.writeHead(status, { ...headers, 'content-length': body.length }).end(body);
}

/** Notes what a response takes, and whether it came to its end. */
function count(response: ServerResponse, entry: Passed): void {
  const [write, end] = [response.write.bind(response), response.end.bind(response)] as [
    (...args: unknown[]) => boolean,
    (...args: unknown[]) => ServerResponse,
  ];
  const note = (chunk: unknown): void => void (entry.sent += Buffer.isBuffer(chunk) ? chunk.length : 0);
  Object.assign(response, {
    write: (...args: unknown[]) => (note(args[0]), write(...args)),
    end: (...args: unknown[]) => (note(args[0]), (entry.whole = true), end(...args)),
  });
}
