import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer as createHttpServer, type Server } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { describeError } from '../../base/errors.js';
import { rejection } from '../../base/testing.js';
import { readLimited } from './body.js';
import { DEFAULT_TLS, upstreamOf, type Endpoint, type TlsSettings } from './endpoint.js';
import { HttpPool } from './http.js';
import { retryAfterOf } from './transient.js';

let dir: string;
let server: ReturnType<typeof createServer>;
let ca: string;
let key: string;
const http = new HttpPool({ connectMs: 2000, headersMs: 2000, stallMs: 2000, minRate: 0 });

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'gantry-tls-'));
  const names = 'subjectAltName=IP:127.0.0.1';
  const files = ['-keyout', join(dir, 'key.pem'), '-out', join(dir, 'cert.pem')];
  execFileSync(
    'openssl',
    ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=test', '-addext', names, ...files],
    {
      stdio: 'ignore',
    },
  );
  [key, ca] = [readFileSync(join(dir, 'key.pem'), 'utf8'), readFileSync(join(dir, 'cert.pem'), 'utf8')];
  server = createServer({ key, cert: ca, ca, requestCert: true, rejectUnauthorized: false }, (request, response) => {
    const { authorized } = request.socket as unknown as { authorized: boolean };
    if (request.url === '/down') response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end();
    else response.end(authorized ? 'known' : 'unknown');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterAll(async () => {
  await http.close();
  for (const each of [server, ...others]) {
    each.closeAllConnections();
    each.close();
  }
  rmSync(dir, { recursive: true });
});

const others: Server[] = [];

async function listen(other: Server): Promise<number> {
  others.push(other);
  await once(other.listen(0, '127.0.0.1'), 'listening');
  return (other.address() as AddressInfo).port;
}

const get = async (tls: Partial<TlsSettings>, path = '/', port?: number): Promise<string> => {
  const base = `https://127.0.0.1:${port ?? (server.address() as AddressInfo).port}`;
  const endpoint: Endpoint = { ...upstreamOf('x'), base, tls: { ...DEFAULT_TLS, ...tls } };
  const { body } = await http.send(endpoint, { url: `${base}${path}` });
  return (await readLimited(body, 100, 'body')).toString();
};

describe('TLS', () => {
  it('refuses a certificate that nothing vouches for', async () => {
    const error = await rejection(get({}));
    expect(describeError(error)).toMatch(
      /^no answer from https:\/\/127.0.0.1:\d+: its certificate is not trusted: self-signed certificate$/,
    );
    expect(retryAfterOf(error)).toBeUndefined();
  });

  it('says what a server speaks that does not speak it, or not with us', async () => {
    const key = { key: readFileSync(join(dir, 'key.pem')), cert: ca };
    const plain = await listen(createHttpServer());
    const old = await listen(
      createServer({ ...key, maxVersion: 'TLSv1.1', minVersion: 'TLSv1', ciphers: 'ALL@SECLEVEL=0' }),
    );
    const strict = await listen(createServer({ ...key, ca, requestCert: true }));
    const noTls = await rejection(get({}, '/', plain));
    expect(describeError(noTls)).toMatch(/^no answer from \S+: it does not speak TLS; plain HTTP, perhaps$/);
    expect(retryAfterOf(noTls)).toBeUndefined();
    const told = async (port: number): Promise<string> =>
      describeError(await rejection(get({ skipVerify: true }, '/', port)));
    expect(await told(old)).toMatch(/^no answer from \S+: TLS: tlsv1 alert protocol version$/);
    expect(await told(strict)).toMatch(/^no answer from \S+: TLS: tlsv1(3|0)? alert certificate required$/);
  });

  it('trusts the given authority, or anything when told so, and keeps the two apart', async () => {
    expect(await get({ ca: [ca] })).toBe('unknown');
    expect(await get({ skipVerify: true })).toBe('unknown');
    await expect(get({})).rejects.toThrow(/self-signed/);
  });

  it('shows a client certificate', async () => {
    expect(await get({ ca: [ca], client: [{ cert: ca, key }] })).toBe('known');
  });

  it('says when a certificate cannot be used', async () => {
    await expect(get({ ca: [ca], client: [{ cert: 'junk', key: 'junk' }] })).rejects.toThrow(/certificate or key/);
  });

  it('follows no redirect to plain HTTP', async () => {
    await expect(get({ ca: [ca] }, '/down')).rejects.toThrow(
      /redirects from https to http:\/\/127.0.0.1:1, which is not secure/,
    );
  });
});
