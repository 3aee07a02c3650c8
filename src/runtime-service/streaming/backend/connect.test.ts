import { once } from 'node:events';
import { readdirSync, readlinkSync } from 'node:fs';
import { createServer, type AddressInfo, type Socket } from 'node:net';

import { beforeEach, describe, expect, it } from '@jest/globals';

import { rejection, until, useScratch } from '../../../base/testing.js';
import { ContainerWorld } from '../../container/testing.js';
import { stopSandbox } from '../../../sandbox/stop.js';
import type { StreamingBackend } from '../types.js';
import { createStreamingBackend } from './index.js';

const scratch = useScratch('connect');
const never = new AbortController().signal;
let own: ContainerWorld;
let backend: StreamingBackend;

beforeEach(async () => {
  own = await ContainerWorld.make(scratch);
  backend = createStreamingBackend(own.context);
});

const connect = (sandboxId: string, port: number, signal = never): Promise<Socket> =>
  backend.connect({ kind: 'port-forward', sandboxId, ports: [] }, port, signal);

async function all(socket: Socket): Promise<string> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  await once(socket, 'end');
  return Buffer.concat(chunks).toString();
}

/** A server in the pod's network that answers after the client's half-close. */
async function serve(sandbox: string, listen: string): Promise<void> {
  const { netnsPath } = own.world.context.store.find(sandbox).record;
  const server = scratch.path('server.mjs');
  const program = `import { createServer } from 'node:net';
    createServer({ allowHalfOpen: true }, (s) => {
      let text = '';
      s.on('data', (d) => (text += d));
      s.on('end', () => s.end('got ' + text));
    }).listen(${listen}, () => console.log('listening'));`;
  const child = scratch.shell(
    `cat > ${server} <<'END'\n${program}\nEND\nexec nsenter --net=${netnsPath} ${process.execPath} ${server}`,
  );
  await new Promise((resolve) => child.stdout?.once('data', resolve));
}

describe('a connection to a port of a pod', () => {
  it('is made in its network, by IPv4 or IPv6, and may be half-closed', async () => {
    const sandbox = await own.sandbox({ namespaces: { network: 'pod', pid: 'container', ipc: 'pod' } });
    const home = readlinkSync('/proc/self/ns/net');
    const error = await rejection(connect(sandbox, 8080));
    expect(error.code).toBe('unavailable');
    expect(error.message).toMatch(/cannot connect to port 8080 of sandbox ".*": .*ECONNREFUSED.*; .*ECONNREFUSED/);
    await serve(sandbox, `8080, '127.0.0.1'`);
    await serve(sandbox, `8081, '::1'`);
    const before = readdirSync('/proc/self/fd').length;
    for (const port of [8080, 8081, 8080]) {
      const socket = await connect(sandbox, port);
      socket.end(`port ${port}`);
      expect(await all(socket)).toBe(`got port ${port}`);
    }
    expect(readlinkSync('/proc/self/ns/net')).toBe(home);
    await until(() => readdirSync('/proc/self/fd').length <= before);
    await stopSandbox(own.world.context, sandbox);
    expect(await rejection(connect(sandbox, 8080))).toMatchObject({ code: 'failed-precondition' });
  });

  it('is to the node for a pod on its network', async () => {
    const sandbox = await own.sandbox();
    const server = createServer((socket) => socket.end('node')).listen(0, '127.0.0.1');
    scratch.defer(() => server.close());
    await once(server, 'listening');
    const socket = await connect(sandbox, (server.address() as AddressInfo).port);
    expect(await all(socket)).toBe('node');
    socket.destroy();
  });

  it('needs a sandbox, and a client that waits for it', async () => {
    expect((await rejection(connect('none', 80))).code).toBe('not-found');
    const sandbox = await own.sandbox();
    expect((await rejection(connect(sandbox, 80, AbortSignal.abort()))).code).toBe('cancelled');
  });
});
