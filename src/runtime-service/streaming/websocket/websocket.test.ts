import { once } from 'node:events';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { WebSocket } from 'ws';

import type { StreamingServer } from '../server.js';
import { HostBackend, shell, startStreaming } from '../testing.js';
import type { ExecTarget } from '../types.js';

/** What came, by channel; -1 is the close code. */
class Client {
  readonly ws: WebSocket;
  readonly #base64: boolean;
  readonly data = new Map<number, string>();
  readonly closed: Promise<number>;

  constructor(url: string, protocol: string) {
    this.#base64 = protocol.includes('base64');
    this.ws = new WebSocket(url.replace('http', 'ws'), protocol === '' ? [] : [protocol]);
    this.ws.on('error', () => undefined);
    this.closed = new Promise((resolve) => this.ws.on('close', (code) => resolve(code)));
    this.ws.on('message', (message: Buffer, isBinary) => {
      expect(isBinary).toBe(!this.#base64);
      const channel = this.#base64 ? message.readUInt8(0) - 48 : message.readUInt8(0);
      const rest = message.subarray(1);
      const text = this.#base64 ? Buffer.from(rest.toString(), 'base64').toString() : rest.toString();
      this.data.set(channel, (this.data.get(channel) ?? '') + text);
    });
  }

  send(channel: number, text: string): void {
    const data = Buffer.from(text);
    if (this.#base64) this.ws.send(`${channel}${data.toString('base64')}`);
    else this.ws.send(Buffer.concat([Buffer.of(channel), data]));
  }
}

describe('exec over WebSocket', () => {
  let server: StreamingServer;
  let backend: HostBackend;
  beforeEach(async () => {
    backend = new HostBackend();
    server = await startStreaming({ backend });
  });
  afterEach(() => server.stop());

  async function open(target: ExecTarget, protocol: string): Promise<Client> {
    const client = new Client(await server.urlFor(target), protocol);
    await once(client.ws, 'open');
    expect(client.ws.protocol).toBe(protocol);
    return client;
  }

  it.each([
    ['v5.channel.k8s.io', 'NonZeroExitCode'],
    ['v4.channel.k8s.io', 'NonZeroExitCode'],
    ['v4.base64.channel.k8s.io', 'NonZeroExitCode'],
    ['v3.channel.k8s.io', 'command terminated with non-zero exit code: 3'],
    ['v2.channel.k8s.io', 'command terminated with non-zero exit code: 3'],
    ['v3.base64.channel.k8s.io', 'command terminated with non-zero exit code: 3'],
    ['v2.base64.channel.k8s.io', 'command terminated with non-zero exit code: 3'],
    ['channel.k8s.io', 'command terminated with non-zero exit code: 3'],
    ['base64.channel.k8s.io', 'command terminated with non-zero exit code: 3'],
    ['', 'command terminated with non-zero exit code: 3'],
  ])('speaks "%s"', async (protocol, error) => {
    const client = await open(shell('read line; echo "<$line>"; echo oops >&2; exit 3'), protocol);
    client.send(0, 'hel');
    client.send(0, 'lo\n');
    expect(await client.closed).toBe(1000);
    expect([client.data.get(1), client.data.get(2)]).toEqual(['<hello>\n', 'oops\n']);
    expect(client.data.get(3)).toContain(error);
  });

  it('half-closes stdin with v5', async () => {
    const client = await open(shell('cat; echo end'), 'v5.channel.k8s.io');
    client.send(0, 'text\n');
    client.ws.send(Buffer.of(255, 0));
    expect(await client.closed).toBe(1000);
    expect(client.data.get(1)).toBe('text\nend\n');
    expect(JSON.parse(client.data.get(3) ?? '')).toMatchObject({ status: 'Success' });
  });

  it('hands on sizes', async () => {
    const client = await open(shell('read x', { tty: true, stderr: false }), 'v5.channel.k8s.io');
    client.send(4, '{"Width":90,"Height":40}');
    client.send(0, '\n');
    await client.closed;
    expect(backend.sizes).toEqual([{ width: 90, height: 40 }]);
  });

  it('greets on the first channel that it writes to', async () => {
    const target = shell('sleep 1000', { stdout: false });
    const client = await open(target, 'v4.channel.k8s.io');
    if (client.data.size === 0) await once(client.ws, 'message');
    expect([...client.data]).toEqual([[2, '']]);
    client.ws.terminate();
    await client.closed;
  });

  it('kills the command whose client is gone', async () => {
    const client = await open(shell('echo up; sleep 1000'), 'v5.channel.k8s.io');
    while (client.data.get(1) !== 'up\n') await once(client.ws, 'message');
    client.ws.terminate();
    await server.stop();
    expect(backend.pids.size).toBe(0);
  });

  it.each([
    ['no base64', 'v4.base64.channel.k8s.io', '0****', 1002],
    ['half of base64', 'base64.channel.k8s.io', '0abc', 1002],
    ['a half-close of nothing', 'v5.channel.k8s.io', Buffer.of(255), 1002],
    ['a half-close of much', 'v5.channel.k8s.io', Buffer.of(255, 0, 1), 1002],
    ['too much at once', 'v5.channel.k8s.io', Buffer.alloc(16 * 1024 * 1024 + 1), 1009],
  ])('ends the session of a client that sends %s, and only that', async (_, protocol, message, code) => {
    const other = await open(shell('read x; echo fine'), 'v5.channel.k8s.io');
    const client = await open(shell('sleep 1000'), protocol);
    client.ws.send(message);
    expect(await client.closed).toBe(code);
    other.send(0, '\n');
    await other.closed;
    expect(other.data.get(1)).toBe('fine\n');
  });

  it('drops what comes on channels that nobody reads', async () => {
    const client = await open(shell('cat'), 'v5.channel.k8s.io');
    for (const channel of [1, 2, 3, 4, 9, 200]) client.send(channel, 'noise');
    client.ws.send(Buffer.alloc(0));
    client.ws.send(Buffer.of(255, 77));
    client.ws.send(Buffer.of(255, 0));
    expect(await client.closed).toBe(1000);
    expect(client.data.get(1)).toBe('');
  });

  it('knows no other protocols', async () => {
    const client = new Client(await server.urlFor(shell('true')), 'v6.channel.k8s.io');
    const [error] = (await once(client.ws, 'error')) as [Error];
    expect(error.message).toContain('403');
  });
});
