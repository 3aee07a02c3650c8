import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

import { describeError, unavailable } from '../base/errors.js';
import type { Logger } from '../base/log.js';
import type { Metrics } from './metrics.js';

export interface MetricsServerOptions {
  readonly address: string;
  /** 0: any that is free. */
  readonly port: number;
  readonly metrics: Metrics;
  /** More are closed at once. */
  readonly maxConnections: number;
  readonly logger: Logger;
}

const TIMEOUT_MS = 10_000;

/** Serves `GET /metrics` over plain HTTP, and nothing else. */
export class MetricsServer {
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  /** @throws unavailable if it cannot listen */
  static async start({ address, port, metrics, maxConnections, logger }: MetricsServerOptions): Promise<MetricsServer> {
    const timeouts = { headersTimeout: TIMEOUT_MS, requestTimeout: TIMEOUT_MS, keepAliveTimeout: TIMEOUT_MS };
    const server = createServer(timeouts, (request, response) => {
      answer(request, response, metrics).catch((error: unknown) => {
        logger.warn({ error: describeError(error) }, 'metrics cannot be told');
        response.destroy();
      });
    });
    server.maxConnections = maxConnections;
    await new Promise<void>((resolve, reject) => {
      const fail = (error: unknown): void =>
        reject(unavailable(`metrics cannot be served on ${address} port ${port}`, error));
      server.once('error', fail).listen({ host: address, port }, () => resolve(void server.off('error', fail)));
    });
    server.on('error', (error) =>
      logger.warn({ error: describeError(error) }, 'cannot accept a client of the metrics'),
    );
    return new MetricsServer(server);
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }
}

async function answer(request: IncomingMessage, response: ServerResponse, metrics: Metrics): Promise<void> {
  const [path] = (request.url ?? '').split('?');
  if (path !== '/metrics') return void response.writeHead(404).end();
  if (request.method !== 'GET' && request.method !== 'HEAD')
    return void response.writeHead(405, { allow: 'GET, HEAD' }).end();
  const text = await metrics.text();
  response.writeHead(200, { 'content-type': metrics.contentType }).end(request.method === 'HEAD' ? undefined : text);
}
