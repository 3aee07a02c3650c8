import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { HostBackend, shell, SpdyClient, startStreaming, upgrade } from '../testing.js';
import type { StreamingServer } from '../server.js';
import type { ExecTarget } from '../types.js';
import { controlFrame, goAway, GOODBYE, ping, TYPE } from './frames.js';

const V4 = 'v4.channel.k8s.io';

describe('exec over SPDY', () => {
  let server: StreamingServer;
  let backend: HostBackend;
  beforeEach(async () => {
    backend = new HostBackend();
    server = await startStreaming({ backend });
  });
  afterEach(() => server.stop());

  /** A client that has opened what the target wants. */
  async function open(target: ExecTarget, protocol = V4) {
    const client = await SpdyClient.connect(await server.urlFor(target), protocol);
    const ids: Record<string, number> = {};
    const resizes = protocol.startsWith('v4') || protocol.startsWith('v3');
    const wanted = { error: true, ...target, resize: target.tty && resizes };
    for (const type of ['error', 'stdin', 'stdout', 'stderr', 'resize'] as const)
      if (wanted[type]) ids[type] = await client.open({ streamtype: type });
    const { error = 0, stdin = 0, stdout = 0, stderr = 0, resize = 0 } = ids;
    return { client, error, stdin, stdout, stderr, resize };
  }

  it('carries stdin to its end, stdout, stderr and the exit code', async () => {
    const { client, error, stdin, stdout, stderr } = await open(shell('cat; echo oops >&2; exit 3'));
    client.send(stdin, 'one\n');
    client.send(stdin, 'two\n');
    client.end(stdin);
    expect(await client.whole(stdout)).toBe('one\ntwo\n');
    expect(await client.whole(stderr)).toBe('oops\n');
    expect(JSON.parse(await client.whole(error))).toEqual({
      metadata: {},
      status: 'Failure',
      reason: 'NonZeroExitCode',
      message: 'command terminated with non-zero exit code: 3',
      details: { causes: [{ reason: 'ExitCode', message: '3' }] },
    });
    await client.whole(stdin);
    await client.until(() => client.controls.some(({ type }) => type === TYPE.goAway));
    client.socket.end();
    await client.closed;
  });

  it('tells success', async () => {
    const { client, error } = await open(shell('true'));
    expect(JSON.parse(await client.whole(error))).toEqual({ metadata: {}, status: 'Success' });
  });

  it.each(['channel.k8s.io', 'v2.channel.k8s.io', 'v3.channel.k8s.io'])('tells %s in text', async (protocol) => {
    const failed = await open(shell('exit 5'), protocol);
    expect(await failed.client.whole(failed.error)).toBe('command terminated with non-zero exit code: 5');
    const well = await open(shell('echo well'), protocol);
    expect(await well.client.whole(well.stdout)).toBe('well\n');
    expect(await well.client.whole(well.error)).toBe('');
  });

  it('says what went wrong', async () => {
    const { client, error } = await open({ ...shell(''), command: ['/no/such/program'] });
    const status = JSON.parse(await client.whole(error)) as Record<string, unknown>;
    expect(status).toMatchObject({ status: 'Failure', reason: 'InternalError', code: 500 });
    expect(status['message']).toContain('/no/such/program');
  });

  it('hands on sizes, whole or in pieces, and nothing that is none', async () => {
    const { client, stdin, resize, error } = await open(shell('cat', { tty: true, stderr: false }));
    client.send(resize, '{"Width":80,"Height":24}\n{"Width":');
    client.send(resize, '100,"Height":30}\n{"Width":-1,"Height":9}{}}{"Width":1e9,"Height":3}');
    client.end(stdin);
    await client.whole(error);
    expect(backend.sizes).toEqual([
      { width: 80, height: 24 },
      { width: 100, height: 30 },
    ]);
  });

  it('kills the command whose client is gone', async () => {
    const { client, stdout } = await open(shell('echo up; sleep 1000'));
    await client.until(() => client.text(stdout) === 'up\n');
    const [pid = 0] = backend.pids;
    client.socket.destroy();
    await server.stop();
    expect(backend.pids.size).toBe(0);
    expect(() => process.kill(pid, 0)).toThrow('ESRCH');
  });

  it('refuses streams that are not wanted, and serves the others', async () => {
    const client = await SpdyClient.connect(await server.urlFor(shell('echo x', { stdin: false })), V4);
    const error = await client.open({ streamtype: 'error' });
    const refused = [{ streamtype: 'stdin' }, { streamtype: 'error' }, { streamtype: 'wrong' }, {}];
    for (const headers of refused) {
      const id = await client.open(headers);
      expect(client.stream(id)).toMatchObject({ replied: false, reset: 1 });
    }
    const stdout = await client.open({ streamtype: 'stdout' });
    await client.open({ streamtype: 'stderr' });
    expect(await client.whole(stdout)).toBe('x\n');
    expect(JSON.parse(await client.whole(error))).toMatchObject({ status: 'Success' });
  });

  it('answers odd pings alone, and ignores what it does not know', async () => {
    const { client, stdin, error } = await open(shell('cat'));
    client.socket.write(
      Buffer.concat([ping(2), ping(7), controlFrame(4, Buffer.alloc(12)), controlFrame(99, Buffer.alloc(3))]),
    );
    await client.until(() => client.controls.some(({ type }) => type === TYPE.ping));
    client.end(stdin);
    await client.whole(error);
    const pings = client.controls.filter(({ type }) => type === TYPE.ping).map(({ payload }) => payload.readUInt32BE());
    expect(pings).toEqual([7]);
  });

  it('goes on after a client that opens no more streams', async () => {
    const { client, stdin, stdout } = await open(shell('cat'));
    client.socket.write(goAway(0, GOODBYE.ok));
    client.send(stdin, 'still');
    client.end(stdin);
    expect(await client.whole(stdout)).toBe('still');
  });

  it('speaks the first version that the client names and it knows', async () => {
    const url = await server.urlFor(shell('true'));
    const answer = await upgrade(url, { 'X-Stream-Protocol-Version': ['v9.channel.k8s.io', 'v3.channel.k8s.io', V4] });
    expect(answer).toMatchObject({ status: 101, headers: { 'x-stream-protocol-version': 'v3.channel.k8s.io' } });
    answer.socket?.destroy();
  });

  it('lists its versions to a client that knows none', async () => {
    const url = await server.urlFor(shell('true'));
    const refused = await upgrade(url, { 'X-Stream-Protocol-Version': 'v9.channel.k8s.io' });
    expect(refused.status).toBe(403);
    expect(refused.headers['x-accepted-stream-protocol-versions']).toContain(V4);
    // Which may then come again.
    expect((await upgrade(url, { 'X-Stream-Protocol-Version': V4 })).status).toBe(101);
  });

  it.each([
    ['another path', (url: string) => url.replace('/exec/', '/attach/')],
    ['another token', (url: string) => `${url.slice(0, -4)}xxxx`],
    ['no token', (url: string) => new URL('/exec/', url).href],
    ['nothing of ours', (url: string) => new URL('/../../etc/passwd', url).href],
  ])('does not serve %s', async (_, change) => {
    const url = change(await server.urlFor(shell('true')));
    expect((await upgrade(url, { 'X-Stream-Protocol-Version': V4 })).status).toBe(404);
  });

  it('serves a URL once', async () => {
    const url = await server.urlFor(shell('true'));
    const first = await upgrade(url, { 'X-Stream-Protocol-Version': V4 });
    expect([first.status, (await upgrade(url, { 'X-Stream-Protocol-Version': V4 })).status]).toEqual([101, 404]);
    first.socket?.destroy();
  });

  it.each(['h2c', 'TLS/1.0'])('upgrades to nothing else: %s', async (protocol) => {
    expect((await upgrade(await server.urlFor(shell('true')), { Upgrade: protocol })).status).toBe(400);
  });

  it('expects an upgrade', async () => {
    const answer = await fetch(await server.urlFor(shell('true')));
    expect([answer.status, await answer.text()]).toEqual([400, expect.stringContaining('upgrade')]);
  });
});
