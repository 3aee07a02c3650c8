import { once } from 'node:events';
import { createServer, request, type Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { codeOf } from '../../base/errors.js';
import { thrown } from '../../base/testing.js';
import { hello, PullHouse, serveImage } from '../pull-fixture.js';
import { Proxies } from './proxies.js';

const HTTP = { HTTP_PROXY: 'http://proxy.test:3128', HTTPS_PROXY: 'secure-proxy.test:8080' };
const proxyFor = (url: string, environment: Record<string, string> = HTTP): string | undefined =>
  new Proxies(environment).for(new URL(url))?.host;

describe('Proxies', () => {
  it('are chosen by the scheme, in capitals or not', () => {
    expect(proxyFor('http://r.test/')).toBe('proxy.test:3128');
    expect(proxyFor('https://r.test/')).toBe('secure-proxy.test:8080');
    expect(proxyFor('https://r.test/', { http_proxy: 'http://p' })).toBeUndefined();
    expect(proxyFor('http://r.test/', { http_proxy: 'http://p' })).toBe('p');
  });

  it('never get requests to this machine', () => {
    for (const host of ['localhost:5000', '127.0.0.1', '127.3.2.1:80', '[::1]:5000'])
      expect(proxyFor(`http://${host}/`)).toBeUndefined();
  });

  it.each([
    ['r.test', 'r.test', true],
    ['r.test', 'a.r.test', true],
    ['r.test', 'other.test', false],
    ['r.test', 'bar.test', false],
    ['.r.test', 'r.test', false],
    ['*.r.test', 'a.r.test', true],
    ['r.test:5000', 'r.test:5000', true],
    ['r.test:5000', 'r.test:5001', false],
    ['r.test:80', 'r.test', true],
    ['10.0.0.0/8', '10.3.2.1', true],
    ['10.0.0.0/8', '11.3.2.1', false],
    ['10.0.0.0/99', '10.3.2.1', false],
    ['fd00::/8', '[fd12::3]:5000', true],
    ['fd00::1', '[fd00::1]', true],
    ['192.168.1.1', '192.168.1.1:5000', true],
    [' a.test , R.test ', 'r.test', true],
    ['*', 'r.test', true],
  ])('NO_PROXY %s and %s: %s', (exceptions, host, direct) => {
    expect(proxyFor(`http://${host}/`, { ...HTTP, NO_PROXY: exceptions }) === undefined).toBe(direct);
  });

  it('that are none are named, without their password', () => {
    for (const bad of ['socks5://me:secret@p', 'http://me:secret@:x']) {
      const error = thrown(() => new Proxies({ HTTPS_PROXY: bad })) as Error;
      expect(codeOf(error)).toBe('failed-precondition');
      expect(error.message).toBe("the environment's HTTPS_PROXY is not the URL of an HTTP proxy");
    }
  });
});

describe('a pull through a proxy', () => {
  let house: PullHouse;
  let proxy: Server;
  let seen: string[];

  /** Knows the registry's name, which nobody else does. */
  async function startProxy(target: string): Promise<string> {
    const [host, port] = target.split(':');
    proxy = createServer((inbound, outbound) => {
      seen.push(`${inbound.method ?? ''} ${inbound.url ?? ''} ${inbound.headers['proxy-authorization'] ?? ''}`);
      const { pathname, search } = new URL(inbound.url ?? '');
      request({ host, port, path: `${pathname}${search}`, headers: inbound.headers }, (answer) => {
        outbound.writeHead(answer.statusCode ?? 500, answer.headers);
        answer.pipe(outbound);
      }).end();
    });
    proxy.on('connect', (inbound, socket) => {
      seen.push(`CONNECT ${inbound.url ?? ''}`);
      const upstream = connect(Number(port), host, () => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n');
        upstream.pipe(socket).pipe(upstream);
      });
      upstream.on('error', () => socket.destroy());
    });
    await once(proxy.listen(0, '127.0.0.1'), 'listening');
    return `127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  }

  beforeEach(() => {
    seen = [];
    house = new PullHouse();
  });
  afterEach(async () => {
    await house.close();
    proxy.closeAllConnections();
    proxy.close();
  });

  it('by plain HTTP needs no tunnel, and shows the credentials of the proxy', async () => {
    const address = await startProxy(await house.serve(serveImage(hello)));
    await house.open({ environment: { HTTP_PROXY: `http://me:pw@${address}` } });
    house.hosts('r.test', 'server = "http://registry.invalid"\n');
    expect((await house.service.pull('r.test/x')).id).toBe(hello.id);
    const basic = `Basic ${Buffer.from('me:pw').toString('base64')}`;
    expect(seen[0]).toBe(`GET http://registry.invalid/v2/x/manifests/latest ${basic}`);
  });

  it('by https goes through a tunnel; its failure names the proxy', async () => {
    const address = await startProxy(await house.serve(serveImage(hello)));
    await house.open({ environment: { HTTPS_PROXY: address } });
    const { code, message } = await house.failure('registry.invalid/x');
    expect([code, seen[0]]).toEqual(['unavailable', 'CONNECT registry.invalid:443']);
    expect(message).toContain(`no answer from https://registry.invalid through the proxy ${address}: `);
  });
});
