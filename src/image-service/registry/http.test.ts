import { once } from 'node:events';
import { createServer as createHttpServer, type RequestListener, type Server } from 'node:http';
import { connect, createServer, type AddressInfo, type Server as NetServer, type Socket } from 'node:net';

import { afterEach, describe, expect, it } from '@jest/globals';

import { codeOf } from '../../base/errors.js';
import { rejection } from '../../base/testing.js';
import { named, readLimited } from './body.js';
import { upstreamOf, type Endpoint } from './endpoint.js';
import type { HttpAnswer, HttpTimeouts } from './http-exchange.js';
import { HttpPool } from './http.js';
import { Proxies } from './proxies.js';
import { retryAfterOf } from './transient.js';

const TIMES: HttpTimeouts = { connectMs: 2000, headersMs: 2000, stallMs: 2000, minRate: 0 };
const ENDPOINT: Endpoint = { ...upstreamOf('x'), headers: {} };

const open: (Server | NetServer)[] = [];
const sockets: Socket[] = [];
const pools: HttpPool[] = [];

afterEach(async () => {
  for (const pool of pools.splice(0)) await pool.close();
  for (const server of open.splice(0)) server.close();
  for (const socket of sockets.splice(0)) socket.destroy();
});

async function listen(server: Server | NetServer): Promise<string> {
  open.push(server);
  server.on('connection', (socket: Socket) => sockets.push(socket));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const serve = async (listener: RequestListener): Promise<string> =>
  `http://${await listen(createHttpServer(listener))}/`;

function poolWith(times: Partial<HttpTimeouts> = {}, proxies?: Proxies): HttpPool {
  const pool = new HttpPool({ ...TIMES, ...times }, proxies);
  pools.push(pool);
  return pool;
}

const textOf = async ({ body }: HttpAnswer): Promise<string> => (await readLimited(body, 1 << 20, 'body')).toString();

describe('HttpPool', () => {
  it('keeps a connection for the next request, and opens another where that was closed meanwhile', async () => {
    const ports: (number | undefined)[] = [];
    const url = await serve((request, response) => {
      ports.push(request.socket.remotePort);
      response.end('x');
      // Without a word, as load balancers do.
      if (ports.length === 2) setTimeout(() => request.socket.destroy(), 50);
    });
    const pool = poolWith();
    for (let count = 0; count < 3; count++) {
      expect(await textOf(await pool.send(ENDPOINT, { url }))).toBe('x');
      if (count === 1) await new Promise((resolve) => setTimeout(resolve, 100));
    }
    expect(ports[1]).toBe(ports[0]);
    expect(ports[2]).not.toBe(ports[1]);
  });

  it('sends no credentials that an address has in itself', async () => {
    let seen: string | undefined;
    const url = await serve((request, response) => response.end((seen = request.headers.authorization ?? 'none')));
    await textOf(await poolWith().send(ENDPOINT, { url: url.replace('//', '//me:secret@') }));
    expect(seen).toBe('none');
  });

  it.each([
    ['accepts no connection by TLS', { connectMs: 50 }, 'https', /no connection within 0.05 s/],
    ['sends no headers', { headersMs: 50 }, 'http', /no headers within 0.05 s/],
  ])('gives up on a server that %s', async (_, times, scheme, message) => {
    const address = await listen(createServer((socket) => socket.on('error', () => undefined)));
    const error = await rejection(poolWith(times).send(ENDPOINT, { url: `${scheme}://${address}/` }));
    expect([codeOf(error), error.message]).toEqual(['unavailable', expect.stringMatching(message)]);
  });

  it('tells of silence in the middle of a body, but not of what its reader takes', async () => {
    const url = await serve((_, response) => response.writeHead(200, { 'content-length': 200_000 }).write('x'));
    const { body } = await poolWith({ stallMs: 100 }).send(ENDPOINT, { url });
    const reader = named(body, 'blob b')[Symbol.asyncIterator]();
    await reader.next();
    await new Promise((resolve) => setTimeout(resolve, 300));
    const error = await rejection(reader.next());
    expect([codeOf(error), error.message]).toEqual(['unavailable', 'the connection broke while reading blob b']);
    expect(String(error.cause)).toContain('nothing came for 0.1 s');
  });

  /** Sends a byte every few milliseconds, `length` in all. */
  async function dripping(length: number): Promise<string> {
    return serve((_, response) => {
      response.writeHead(200, { 'content-length': length });
      let left = length;
      const timer = setInterval(() => {
        if (left-- > 0) response.write('x');
        else response.end();
      }, 5);
      response.on('close', () => clearInterval(timer));
    });
  }

  it('gives up on a server that sends too little, for good, and names it', async () => {
    const url = await dripping(1_000_000);
    const { body } = await poolWith({ stallMs: 100, minRate: 1_000_000 }).send(ENDPOINT, { url });
    const error = await rejection(readLimited(body, 2_000_000, 'blob b'));
    expect([codeOf(error), retryAfterOf(error)]).toEqual(['unavailable', undefined]);
    expect(error.message).toMatch(
      /^http:\/\/127\.0\.0\.1:\d+ sends too slowly: \d+ bytes in 0 s, less than 1000000 bytes/,
    );
  });

  it('takes time with one that sends as much as it must', async () => {
    const { body } = await poolWith({ stallMs: 100, minRate: 10 }).send(ENDPOINT, { url: await dripping(60) });
    expect(await readLimited(body, 60, 'blob b')).toHaveLength(60);
  });

  it('does not count what its reader takes', async () => {
    const url = await serve((_, response) => response.end(Buffer.alloc(1 << 20)));
    const { body } = await poolWith({ stallMs: 2000, minRate: 1e9 }).send(ENDPOINT, { url });
    let length = 0;
    for await (const chunk of body) {
      if (length === 0) await new Promise((resolve) => setTimeout(resolve, 2500));
      length += chunk.byteLength;
    }
    expect(length).toBe(1 << 20);
  });

  it('tells of a body that is cut off', async () => {
    const url = await serve((request, response) => {
      response.writeHead(200, { 'content-length': 10 }).write('12345', () => request.socket.destroy());
    });
    const answer = await poolWith().send(ENDPOINT, { url });
    await expect(textOf(answer)).rejects.toThrow('the connection broke while reading body');
  });

  it('has the server wait for a slow reader, and gives it all', async () => {
    const total = 64 << 20;
    let sent = false;
    const url = await serve((_, response) => response.end(Buffer.alloc(total, 'x'), () => (sent = true)));
    const { body } = await poolWith({}).send(ENDPOINT, { url });
    let length = 0;
    for await (const chunk of body) {
      if (length === 0) await new Promise((resolve) => setTimeout(resolve, 200));
      if (length === 0) expect(sent).toBe(false);
      length += chunk.byteLength;
    }
    expect(length).toBe(total);
  });

  it('closes the connection of a body whose reader leaves', async () => {
    let closed: (() => void) | undefined;
    const ended = new Promise<void>((resolve) => (closed = resolve));
    const url = await serve((request, response) => {
      request.socket.once('close', () => closed?.());
      response.writeHead(200).write('x');
    });
    const { body } = await poolWith({}).send(ENDPOINT, { url });
    for await (const chunk of body) {
      expect(chunk.byteLength).toBe(1);
      break;
    }
    await ended;
  });

  it('ends a body for the reason of its signal', async () => {
    const url = await serve((_, response) => response.writeHead(200).write('x'));
    const controller = new AbortController();
    const { body } = await poolWith().send(ENDPOINT, { url, signal: controller.signal });
    const reader = named(body, 'blob b')[Symbol.asyncIterator]();
    await reader.next();
    const ended = rejection(reader.next());
    controller.abort();
    expect(codeOf(await ended)).toBe('cancelled');
  });

  it('survives a connection that breaks before anybody reads', async () => {
    const url = await serve((request, response) => {
      response.writeHead(200, { 'content-length': 10 }).write('12345', () => request.socket.destroy());
    });
    const { body } = await poolWith().send(ENDPOINT, { url });
    await new Promise((resolve) => setTimeout(resolve, 50));
    await expect(textOf({ status: 200, headers: {}, origin: '', body })).rejects.toThrow('the connection broke');
  });
});

describe('a proxy', () => {
  const proxied = (address: string): Proxies => new Proxies({ HTTPS_PROXY: `http://${address}` });

  it('that opens no tunnel is not taken for the server', async () => {
    const address = await listen(
      createServer((socket) => {
        socket.on('error', () => undefined);
        socket.once('data', () => socket.end('HTTP/1.1 206 Fine\r\nContent-Length: 5\r\n\r\nhello'));
      }),
    );
    const error = await rejection(
      poolWith({}, proxied(address)).send(ENDPOINT, { url: 'https://registry.invalid/v2/' }),
    );
    expect(error.message).toBe(
      `no answer from https://registry.invalid through the proxy ${address}: the proxy answers 206`,
    );
  });

  it('that never answers is given up on', async () => {
    const address = await listen(createServer((socket) => socket.on('error', () => undefined)));
    const error = await rejection(
      poolWith({ connectMs: 50 }, proxied(address)).send(ENDPOINT, { url: 'https://registry.invalid/v2/' }),
    );
    expect(error.message).toContain('no connection within 0.05 s');
  });

  it('gets a connection for each server through it, whose certificate is checked', async () => {
    let hellos = 0;
    const server = await listen(
      createServer((socket) => {
        socket.on('error', () => undefined).once('data', () => (hellos++, socket.destroy()));
      }),
    );
    const proxy = createHttpServer().on('connect', (_, socket) => {
      const upstream = connect(Number(server.split(':')[1]), '127.0.0.1', () => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n');
        upstream.pipe(socket).pipe(upstream);
      });
      for (const end of [socket, upstream]) end.on('error', () => undefined).on('close', () => upstream.destroy());
    });
    const address = await listen(proxy);
    const error = await rejection(
      poolWith({}, proxied(address)).send(ENDPOINT, { url: 'https://registry.invalid/v2/' }),
    );
    expect(error.message).toContain('no answer from https://registry.invalid through the proxy');
    expect(hellos).toBeGreaterThan(0);
  });
});
