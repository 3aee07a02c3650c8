import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { constants } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { status } from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from '@jest/globals';

import { silentLogger } from '../base/log.js';
import { startServer, type RunningServer } from './server.js';
import { connectHttp2, statusOf, TestClient } from './testing.js';

describe('the socket’s connections', () => {
  let server: RunningServer;
  let dir: string;
  const sockets: Socket[] = [];
  const clients: TestClient[] = [];
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    for (const client of clients.splice(0)) client.close();
    await server.drain(0);
    await rm(dir, { recursive: true });
  });

  async function open(maxConnections: number): Promise<void> {
    dir = await mkdtemp(join(tmpdir(), 'gantry-accept-'));
    const handlers = { Version: () => Promise.resolve({}) };
    server = await startServer({ listen: join(dir, 's'), handlers, maxConnections, logger: silentLogger() });
  }

  async function silent(): Promise<Socket> {
    const socket = connect(server.address);
    sockets.push(socket);
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    return socket;
  }

  function client(): TestClient {
    const made = new TestClient(server.address);
    clients.push(made);
    return made;
  }

  it('leave room for who speaks, whoever else says nothing', async () => {
    await open(5);
    const silents: Socket[] = [];
    for (let n = 0; n < 50; n++) silents.push(await silent());
    const said: Buffer[] = [];
    silents[0]?.on('data', (bytes: Buffer) => said.push(bytes));
    expect((await statusOf(client().call('Version'))).code).toBe(status.OK);
    await Promise.all(silents.slice(0, 45).map(async (socket) => socket.closed || once(socket.resume(), 'close')));
    expect(Buffer.concat(said).toString()).toContain('too many connections');
  });

  it('are refused where all speak, in words that a client understands', async () => {
    await open(2);
    // gRPC's clients would share one.
    const speaking = [connectHttp2(server.address), connectHttp2(server.address)];
    await Promise.all(speaking.map((session) => once(session, 'remoteSettings')));
    const refused = connectHttp2(server.address);
    refused.on('error', () => undefined);
    const [code, , why] = (await once(refused, 'goaway')) as [number, number, Buffer];
    expect([code, why.toString()]).toEqual([constants.NGHTTP2_ENHANCE_YOUR_CALM, 'too many connections']);
    for (const session of speaking) await new Promise((resolve) => session.ping(resolve));
    for (const session of speaking) session.destroy();
  });

  it('end with their clients, also of those that have broken the protocol', async () => {
    await open(100);
    const descriptors = (): number => readdirSync('/proc/self/fd').length;
    expect((await statusOf(client().call('Version'))).code).toBe(status.OK);
    const before = descriptors();
    const settings = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);
    // PRIORITY has five bytes (RFC 9113, 6.3).
    const bad = Buffer.from([0, 0, 4, 2, 0, 0, 0, 0, 5, 0, 0, 0, 0]);
    for (let n = 0; n < 20; n++) {
      const socket = await silent();
      socket.write(Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), settings, bad]));
      await once(socket, 'data');
      socket.destroy();
    }
    // The next one that comes has them noticed.
    while (descriptors() > before + 2) {
      const next = connectHttp2(server.address);
      await once(next, 'remoteSettings');
      next.destroy();
      await once(next, 'close');
    }
  });
});
