import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createWebSocketStream, WebSocket } from 'ws';

import { abortReason } from '../../../base/abort.js';
import { failedPrecondition } from '../../../base/errors.js';
import { TUNNEL } from '../protocols.js';
import type { StreamingServer } from '../server.js';
import type { PortForwardTarget } from '../types.js';
import { HostBackend, SpdyClient, startStreaming, upgrade } from '../testing.js';

const PROTOCOL = 'portforward.k8s.io';

/** A port whose connections `serve` answers. */
async function listen(serve: (socket: Socket) => void): Promise<{ port: number; server: Server }> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined);
    serve(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { port: (server.address() as AddressInfo).port, server };
}

describe('port-forward', () => {
  let server: StreamingServer;
  const ports: Server[] = [];
  beforeEach(async () => {
    server = await startStreaming();
  });
  afterEach(async () => {
    await server.stop();
    for (const port of ports.splice(0)) port.close();
  });

  async function port(serve: (socket: Socket) => void): Promise<number> {
    const listening = await listen(serve);
    ports.push(listening.server);
    return listening.port;
  }

  const upperCase = (socket: Socket): void => {
    let text = '';
    socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
    socket.on('end', () => socket.end(text.toUpperCase()));
  };

  function url(named: readonly number[] = []): Promise<string> {
    return server.urlFor({ kind: 'port-forward', sandboxId: 's', ports: named });
  }

  /** A client over SPDY, or over SPDY in a WebSocket. */
  async function connect(transport: string): Promise<SpdyClient> {
    if (transport === 'spdy') return SpdyClient.connect(await url(), PROTOCOL);
    const { socket, head, headers } = await upgrade(await url(), {
      Upgrade: 'websocket',
      'Sec-WebSocket-Version': '13',
      'Sec-WebSocket-Key': Buffer.alloc(16).toString('base64'),
      'Sec-WebSocket-Protocol': TUNNEL,
    });
    expect(headers['sec-websocket-protocol']).toBe(TUNNEL);
    // The name is none that a ws client may ask for.
    const ws = new WebSocket(null as unknown as string, undefined, {}) as WebSocket & {
      setSocket(...args: unknown[]): void;
      _isServer: boolean;
    };
    ws._isServer = false;
    ws.setSocket(socket, head, { maxPayload: 0, skipUTF8Validation: true, allowSynchronousEvents: true });
    return new SpdyClient(createWebSocketStream(ws));
  }

  let requests = 0;
  async function open(client: SpdyClient, to: number): Promise<{ data: number; error: number }> {
    const headers = { port: String(to), requestid: String(requests++) };
    const error = await client.open({ ...headers, streamtype: 'error' });
    client.end(error);
    return { error, data: await client.open({ ...headers, streamtype: 'data' }) };
  }

  describe.each(['spdy', 'tunnel'])('over %s', (transport) => {
    it('carries several connections to several ports, each with its half-close', async () => {
      const client = await connect(transport);
      const [first, second] = [await port(upperCase), await port((socket) => socket.end('greetings'))];
      const streams = [await open(client, first), await open(client, second), await open(client, first)];
      for (const [index, { data }] of streams.entries()) client.send(data, `text ${index}`);
      for (const { data } of streams) client.end(data);
      const texts = await Promise.all(streams.map(({ data }) => client.whole(data)));
      expect(texts).toEqual(['TEXT 0', 'greetings', 'TEXT 2']);
      for (const { error } of streams) expect(await client.whole(error)).toBe('');
      client.socket.destroy();
    });

    it('lets others go on where a connection is refused or reset', async () => {
      const client = await connect(transport);
      const lasting = await open(client, await port(upperCase));
      client.send(lasting.data, 'still ');
      const gone = await listen(() => undefined);
      gone.server.close();
      const refused = await open(client, gone.port);
      await client.until(() => client.stream(refused.data).reset !== undefined);
      const reset = await open(
        client,
        await port((socket) => void socket.once('data', () => socket.resetAndDestroy())),
      );
      client.send(reset.data, 'x');
      await client.until(() => client.stream(reset.data).reset !== undefined);
      // A word here would make Go clients close everything.
      expect([await client.whole(refused.error), await client.whole(reset.error)]).toEqual(['', '']);
      client.send(lasting.data, 'here');
      client.end(lasting.data);
      expect(await client.whole(lasting.data)).toBe('STILL HERE');
      client.socket.destroy();
    });
  });

  it('closes the pod’s connection when the client resets its stream', async () => {
    const client = await connect('spdy');
    const closed = new Promise<void>((resolve) => {
      void port((socket) => {
        socket.write('up');
        socket.on('close', () => resolve());
        socket.on('end', () => socket.destroy());
      }).then(async (to) => {
        const { data } = await open(client, to);
        await client.until(() => client.text(data) === 'up');
        client.reset(data);
      });
    });
    await closed;
    client.socket.destroy();
  });

  it('pairs streams of clients without request ids', async () => {
    const client = await connect('spdy');
    const to = String(await port(upperCase));
    await client.open({ port: to, streamtype: 'error' });
    const data = await client.open({ port: to, streamtype: 'data' });
    client.send(data, 'old');
    client.end(data);
    expect(await client.whole(data)).toBe('OLD');
    client.socket.destroy();
  });

  it.each([
    [{ streamtype: 'data' }],
    [{ streamtype: 'data', port: '0' }],
    [{ streamtype: 'data', port: '65536' }],
    [{ streamtype: 'data', port: '8e1' }],
    [{ streamtype: 'stdin', port: '80' }],
    [{ port: '80' }],
  ])('refuses a stream with %j', async (headers) => {
    const client = await connect('spdy');
    const id = await client.open(headers);
    expect(client.stream(id)).toMatchObject({ replied: false, reset: 1 });
    client.socket.destroy();
  });

  it('refuses the third stream of a pair and the second port', async () => {
    const client = await connect('spdy');
    const headers = { port: '1', requestid: 'x', streamtype: 'error' };
    await client.open(headers);
    const again = await client.open(headers);
    const other = await client.open({ ...headers, streamtype: 'data', port: '2' });
    expect([client.stream(again).reset, client.stream(other).reset]).toEqual([1, 1]);
    client.socket.destroy();
  });

  it('says what concerns the whole pod', async () => {
    class Failing extends HostBackend {
      override connect(): Promise<Socket> {
        return Promise.reject(failedPrecondition('sandbox "s" is not-ready'));
      }
    }
    const own = await startStreaming({ backend: new Failing() });
    const client = await SpdyClient.connect(
      await own.urlFor({ kind: 'port-forward', sandboxId: 's', ports: [] }),
      PROTOCOL,
    );
    const { error } = await open(client, 80);
    expect(await client.whole(error)).toBe('sandbox "s" is not-ready');
    client.socket.destroy();
    await own.stop();
  });

  it('says nothing of a connection that its client has given up', async () => {
    class Waiting extends HostBackend {
      override connect(_target: PortForwardTarget, _port: number, signal?: AbortSignal): Promise<Socket> {
        return new Promise((_, reject) => signal?.addEventListener('abort', () => reject(abortReason(signal))));
      }
    }
    const own = await startStreaming({ backend: new Waiting() });
    const client = await SpdyClient.connect(
      await own.urlFor({ kind: 'port-forward', sandboxId: 's', ports: [] }),
      PROTOCOL,
    );
    const { data, error } = await open(client, 80);
    client.reset(data);
    // Go clients close the connection, with all others on it, at the first word.
    expect(await client.whole(error)).toBe('');
    client.socket.destroy();
    await own.stop();
  });

  it.each(['v4.channel.k8s.io', 'v4.base64.channel.k8s.io', 'portforward.k8s.io'])(
    'serves the ports of the request on channels: %s',
    async (protocol) => {
      const base64 = protocol.includes('base64');
      const refusing = await listen(() => undefined);
      refusing.server.close();
      const echo = await port((socket) => socket.on('data', (chunk) => socket.end(chunk)));
      const ws = new WebSocket((await url([echo, refusing.port])).replace('http', 'ws'), [protocol]);
      const data = new Map<number, Buffer>();
      ws.on('message', (message: Buffer) => {
        const channel = message.readUInt8(0) - (base64 ? 48 : 0);
        const rest = message.subarray(1);
        const part = base64 ? Buffer.from(rest.toString(), 'base64') : rest;
        data.set(channel, Buffer.concat([data.get(channel) ?? Buffer.alloc(0), part]));
      });
      await once(ws, 'open');
      const hello = Buffer.from('hello');
      ws.send(base64 ? `0${hello.toString('base64')}` : Buffer.concat([Buffer.of(0), hello]));
      expect((await once(ws, 'close'))[0]).toBe(1000);
      expect([0, 1, 2, 3].map((channel) => data.get(channel)?.readUInt16LE())).toEqual([
        echo,
        echo,
        refusing.port,
        refusing.port,
      ]);
      expect(data.get(0)?.subarray(2).toString()).toBe('hello');
      expect(data.get(3)?.subarray(2).toString()).toContain(String(refusing.port));
    },
  );
});
