import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';

import { afterEach, describe, expect, it } from '@jest/globals';

import { Session } from './session.js';
import type { StreamingServer } from './server.js';
import { HostBackend, shell, SpdyClient, startStreaming, upgrade } from './testing.js';
import { Tokens } from './tokens.js';

const V4 = 'v4.channel.k8s.io';
const MIB = 1024 * 1024;

describe('streaming server', () => {
  const servers: StreamingServer[] = [];
  afterEach(async () => {
    await Promise.all(servers.splice(0).map((server) => server.stop()));
  });

  async function start(...options: Parameters<typeof startStreaming>): Promise<StreamingServer> {
    const server = await startStreaming(...options);
    servers.push(server);
    return server;
  }

  async function openCat(server: StreamingServer, script = 'cat') {
    const client = await SpdyClient.connect(await server.urlFor(shell(script)), V4);
    const error = await client.open({ streamtype: 'error' });
    const stdin = await client.open({ streamtype: 'stdin' });
    const stdout = await client.open({ streamtype: 'stdout' });
    await client.open({ streamtype: 'stderr' });
    return { client, error, stdin, stdout };
  }

  it.each([
    ['0.0.0.0', /^http:\/\/127\.0\.0\.1:\d+\/exec\//],
    ['127.0.0.1', /^http:\/\/127\.0\.0\.1:\d+\/exec\//],
    ['::1', /^http:\/\/\[::1\]:\d+\/exec\//],
  ])('names where it is reached: %s', async (address, expected) => {
    expect(await (await start({ address })).urlFor(shell('true'))).toMatch(expected);
  });

  it('says where it cannot listen', async () => {
    const port = Number(new URL((await start()).baseUrl).port);
    await expect(start({ port })).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining(String(port)),
    });
  });

  it('refuses sessions beyond the limit, and takes others when one has ended', async () => {
    const server = await start({ maxSessions: 1 });
    const first = await openCat(server);
    const url = await server.urlFor(shell('true'));
    expect((await upgrade(url, { 'X-Stream-Protocol-Version': V4 })).status).toBe(503);
    first.client.end(first.stdin);
    await first.client.whole(first.error);
    first.client.socket.destroy();
    let status = 503;
    // Until the server has seen the end.
    while (status === 503) status = (await upgrade(url, { 'X-Stream-Protocol-Version': V4 })).status;
    expect(status).toBe(101);
  });

  const WEBSOCKET = {
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': Buffer.alloc(16).toString('base64'),
    'Sec-WebSocket-Protocol': V4,
  };

  it.each([
    ['SPDY', { 'X-Stream-Protocol-Version': V4 }],
    ['WebSocket', WEBSOCKET],
  ])('refuses what a page has told a browser to ask for, and keeps the URL good: %s', async (_, headers) => {
    const server = await start();
    const url = await server.urlFor(shell('true'));
    const host = new URL(url).host;
    const foreign = [{ Origin: 'http://evil.example' }, { Host: 'evil.example', Origin: 'http://evil.example' }];
    for (const more of foreign) expect(await upgrade(url, { ...headers, ...more })).toMatchObject({ status: 403 });
    const { status, socket } = await upgrade(url, { ...headers, Origin: `http://${host}` });
    expect(status).toBe(101);
    socket?.destroy();
    const handedOn = { Host: 'api.example', Origin: 'https://dashboard.example', 'X-Forwarded-For': '10.0.0.9' };
    const second = await upgrade(await server.urlFor(shell('true')), { ...headers, ...handedOn });
    expect(second.status).toBe(101);
    second.socket?.destroy();
  });

  it.each([
    ['nothing', ''],
    ['half a request', 'GET /exec/x HTTP/1.1\r\nHost: 127.0.0.1\r\nX: '],
  ])('has room for who asks, whoever else connects and sends %s', async (_, bytes) => {
    const server = await start({ maxWaiting: 10 });
    const { port } = new URL(server.baseUrl);
    const answers: string[] = [];
    const silent = await Promise.all(
      Array.from({ length: 50 }, async () => {
        const socket = connect({ port: Number(port), host: '127.0.0.1' });
        socket.on('error', () => undefined);
        await once(socket, 'connect');
        socket.on('data', (data: Buffer) => answers.push(data.toString()));
        socket.write(bytes);
        return socket;
      }),
    );
    const { client, stdin, stdout } = await openCat(server);
    client.send(stdin, 'alive');
    client.end(stdin);
    expect(await client.whole(stdout)).toBe('alive');
    // All but the ten youngest, of which the one that asked was one.
    await Promise.all(silent.slice(0, 41).map(async (socket) => socket.closed || once(socket, 'close')));
    expect(answers.length).toBe(41);
    expect(answers.every((answer) => answer.startsWith('HTTP/1.1 503 '))).toBe(true);
    for (const socket of silent) socket.destroy();
    client.socket.destroy();
  });

  it('ends a session that idles, and says so', async () => {
    const { client, error } = await openCat(await start({ idleMs: 300 }), 'sleep 1000');
    expect(JSON.parse(await client.whole(error))).toMatchObject({ status: 'Failure' });
  });

  it('ends sessions and commands when it stops', async () => {
    const backend = new HostBackend();
    const server = await start({ backend });
    const { client, error } = await openCat(server, 'sleep 1000');
    await server.stop();
    await client.closed;
    expect(JSON.parse(client.text(error))).toMatchObject({ status: 'Failure' });
    expect(backend.pids.size).toBe(0);
  });

  it('holds up a command whose client does not read, and keeps its memory', async () => {
    const { client, stdin, stdout } = await openCat(await start(), 'head -c 100000000 /dev/zero; read x');
    client.socket.pause();
    const before = process.memoryUsage().rss;
    // What the kernel takes is all that moves.
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect(process.memoryUsage().rss - before).toBeLessThan(50 * MIB);
    client.socket.resume();
    const received = (): number => client.stream(stdout).data.reduce((sum, { length }) => sum + length, 0);
    await client.until(() => received() === 100_000_000);
    client.send(stdin, '\n');
    await client.until(() => client.stream(stdout).ended);
  });

  it('holds up a client whose command does not read, and loses nothing', async () => {
    const { client, stdin, stdout } = await openCat(await start(), 'sleep 1; sha256sum');
    const chunk = randomBytes(MIB);
    const hash = createHash('sha256');
    for (let n = 0; n < 64; n++) {
      hash.update(chunk);
      client.send(stdin, chunk);
    }
    expect(client.socket.writableLength).toBeGreaterThan(32 * MIB);
    client.end(stdin);
    expect(await client.whole(stdout)).toContain(hash.digest('hex'));
  });

  describe('with TLS', () => {
    it('serves, and takes a new certificate; a broken one changes nothing', async () => {
      const dir = await mkdtemp(join(tmpdir(), 'gantry-tls-'));
      try {
        const files = { cert: join(dir, 'cert.pem'), key: join(dir, 'key.pem') };
        await certificate(files, 'first');
        const server = await start({ tls: files });
        expect(await server.urlFor(shell('true'))).toMatch(/^https:/);
        expect(await presented(server)).toBe('first');
        await certificate(files, 'second');
        await server.urlFor(shell('true'));
        expect(await presented(server)).toBe('second');
        await writeFile(files.cert, 'no certificate');
        await server.urlFor(shell('true'));
        expect(await presented(server)).toBe('second');
      } finally {
        await rm(dir, { recursive: true });
      }
    });

    it('does not start without a certificate', async () => {
      const tls = { cert: '/etc/hostname', key: '/no/such/key' };
      await expect(startStreaming({ tls })).rejects.toMatchObject({
        code: 'failed-precondition',
        message: expect.stringContaining('/no/such/key'),
      });
    });
  });
});

/** Writes a certificate of its own, as tools do: beside, then renamed. */
async function certificate({ cert, key }: { cert: string; key: string }, name: string): Promise<void> {
  const args = [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-days',
    '2',
    '-subj',
    `/CN=${name}`,
  ];
  execFileSync('openssl', [...args, '-out', `${cert}.new`, '-keyout', `${key}.new`], { stdio: 'ignore' });
  await rename(`${cert}.new`, cert);
  await rename(`${key}.new`, key);
  expect(await readFile(cert, 'utf8')).toContain('BEGIN CERTIFICATE');
}

/** The name in the certificate that the server shows. */
async function presented(server: StreamingServer): Promise<string> {
  const { hostname, port } = new URL(server.baseUrl);
  return new Promise((resolve, reject) => {
    const socket = connectTls({ host: hostname, port: Number(port), rejectUnauthorized: false }, () => {
      resolve(String(socket.getPeerCertificate().subject.CN));
      socket.destroy();
    });
    socket.on('error', reject);
  });
}

describe('tokens', () => {
  it('are good once, for a minute', () => {
    let now = 0;
    const tokens = new Tokens(() => now);
    const [first, second] = [tokens.add(shell('1')), tokens.add(shell('2'))];
    expect(tokens.find(first)).toEqual(shell('1'));
    expect([tokens.take(first), tokens.take(first)]).toEqual([shell('1'), undefined]);
    now = 60_000;
    expect(tokens.take(second)).toBeUndefined();
  });

  it('are bounded in number, until they are old', () => {
    let now = 0;
    const tokens = new Tokens(() => now);
    const all = new Set(Array.from({ length: 1000 }, () => tokens.add(shell(''))));
    expect(all.size).toBe(1000);
    expect(() => tokens.add(shell(''))).toThrow('1000');
    now = 60_000;
    expect(tokens.add(shell(''))).toHaveLength(22);
  });
});

describe('a session', () => {
  it('does not idle while something moves', async () => {
    const session = new Session(400);
    const ended = new Promise<void>((resolve) => session.signal.addEventListener('abort', () => resolve()));
    const started = performance.now();
    const touching = setInterval(() => session.touch(), 20);
    setTimeout(() => clearInterval(touching), 600);
    await ended;
    expect(performance.now() - started).toBeGreaterThan(900);
    expect(session.signal.reason).toMatchObject({ code: 'deadline-exceeded' });
  });
});
