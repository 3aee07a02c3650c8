import { once } from 'node:events';
import { readdir, readFile, stat } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';

import { status } from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';

import { RPCS } from '../api/cri/generated/services.js';
import { connectHttp2, statusOf, TestClient } from '../src/server/testing.js';
import {
  call,
  data,
  FLAG,
  frame,
  FRAME,
  greeting,
  grpcHeaders,
  headerBlock,
  integer,
  message,
  PREFACE,
  settings,
} from './fuzz/http2-bytes.js';
import { Random, seedOf } from './fuzz/random.js';
import { openHouse, type House } from './harness/house.js';
import { SETTINGS } from './harness/settings.js';
import { waitFor } from './harness/wait.js';

const SEED = seedOf();
const TIMES = SETTINGS.full ? 2_000 : 200;
const VERSION = RPCS.Version.path;
const LIST = RPCS.ListImages.path;

describe(`clients that break HTTP/2 and gRPC, GANTRY_FUZZ_SEED=${SEED}`, () => {
  let house: House;
  /** A client that keeps its connection all the while. */
  let witness: TestClient;
  let before: { readonly pid: number; readonly fds: number; readonly memory: number };
  const random = new Random(SEED);
  const sockets = new Set<Socket>();
  beforeAll(async () => {
    house = await openHouse();
    witness = new TestClient(house.scratch.socket);
    await witness.call('Version');
    before = { pid: house.daemon.pid, fds: await descriptors(), memory: await memory() };
  });
  afterEach(async () => {
    await alive();
    for (const socket of sockets) socket.destroy();
    sockets.clear();
    await alive();
  });
  afterAll(async () => {
    witness.close();
    await house.close();
  });

  async function alive(): Promise<void> {
    expect(await statusOf(witness.call('Version'))).toMatchObject({ code: status.OK });
    const fresh = connectHttp2(house.scratch.socket);
    fresh.on('error', () => undefined);
    await once(fresh, 'remoteSettings');
    fresh.destroy();
  }

  async function descriptors(): Promise<number> {
    return (await readdir(`/proc/${house.daemon.pid}/fd`)).length;
  }

  async function memory(): Promise<number> {
    const text = await readFile(`/proc/${house.daemon.pid}/status`, 'utf8');
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(text)?.[1]) / 1000;
  }

  /** A connection on which all of this is sent; the server may end it, and what it says is dropped. */
  async function send(...parts: readonly Uint8Array[]): Promise<Socket> {
    const socket = connect(house.scratch.socket);
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.resume();
    await Promise.race([once(socket, 'connect').catch(() => undefined), closed(socket)]);
    for (const part of parts) {
      if (socket.destroyed) break;
      if (!socket.write(part))
        await Promise.race([once(socket, 'drain').catch(() => undefined), closed(socket), answers()]);
    }
    return socket;
  }

  async function closed(socket: Socket): Promise<void> {
    if (!socket.closed) await once(socket, 'close').catch(() => undefined);
  }

  /** The daemon's answers to somebody else, some of them: whoever does not read by then does not read at all. */
  async function answers(): Promise<void> {
    for (let n = 0; n < 20; n++) await witness.call('Version');
  }

  /** Sends all that the server takes, and leaves. */
  async function sendToEnd(...parts: readonly Uint8Array[]): Promise<void> {
    const socket = await send(...parts);
    const flushed = new Promise<void>((resolve) => socket.end(resolve));
    await Promise.race([flushed, closed(socket), answers()]);
    await witness.call('Version');
    socket.destroy();
    sockets.delete(socket);
  }

  it('survives any bytes in place of the preface', async () => {
    const starts = [
      ...[
        '',
        'GET / HTTP/1.1\r\nHost: x\r\n\r\n',
        'PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n',
        '\x16\x03\x01\x02\x00',
        '\0'.repeat(1_000),
      ],
      ...['PRI * HTTP/2.0\r\n'.repeat(100), 'x'.repeat(1 << 20)],
    ];
    for (const bytes of starts) await sendToEnd(Buffer.from(bytes, 'latin1'));
    for (let n = 0; n < TIMES; n++) await sendToEnd(random.bytes(random.below(100)));
    for (let n = 0; n < PREFACE.length; n++) await sendToEnd(PREFACE.subarray(0, n));
  });

  it('survives frames of any kind', async () => {
    for (let n = 0; n < TIMES; n++) {
      const frames = Array.from({ length: 1 + random.below(10) }, () => {
        const stream = random.pick([0, 1, 1, 3, 5, 2, 0x7fffffff, 0xffffffff]);
        const payload = random.chance(0.3) ? grpcHeaders(VERSION) : random.bytes(random.pick([0, 4, 5, 6, 8, 50]));
        const made = frame(random.below(13), payload, { flags: random.below(256), stream });
        if (random.chance(0.2)) made.writeUIntBE(random.pick([0, 1, 16_384, 16_385, 0xffffff]), 0, 3);
        return made;
      });
      await sendToEnd(greeting(), ...frames);
    }
  });

  it('survives streams that are reset as fast as they are opened', async () => {
    for (const path of [VERSION, LIST, RPCS.GetContainerEvents.path]) {
      const resets = Array.from({ length: 20_000 }, (_, n) => {
        const stream = 2 * n + 1;
        return Buffer.concat([
          call(stream, path, { end: false }),
          data(stream, message(Buffer.alloc(0))),
          frame(FRAME.rst, Buffer.alloc(4), { stream }),
        ]);
      });
      await sendToEnd(greeting(), Buffer.concat(resets));
    }
  });

  it.each([
    ['settings', settings()],
    [
      'settings that change all the while',
      settings([
        [4, 0],
        [4, 65_535],
        [1, 0],
        [1, 4_096],
      ]),
    ],
    ['pings', frame(FRAME.ping, Buffer.alloc(8))],
    ['empty data', frame(FRAME.data, Buffer.alloc(0), { stream: 1 })],
    ['priorities', frame(2, Buffer.alloc(5), { stream: 1 })],
    ['window updates', frame(FRAME.windowUpdate, Buffer.of(0, 0, 0, 1))],
    ['windows beyond measure', frame(FRAME.windowUpdate, Buffer.of(0x7f, 0xff, 0xff, 0xff))],
    ['unknown frames', frame(99, Buffer.alloc(100))],
  ])('survives a flood of %s, read or not', async (_, flood) => {
    const many = Buffer.concat(Array.from({ length: 5_000 }, () => flood));
    for (const reads of [true, false]) {
      const socket = await send(greeting(), call(1, VERSION));
      if (!reads) socket.pause();
      for (let n = 0; n < 20 && !socket.destroyed; n++) {
        socket.write(many);
        await witness.call('Version');
      }
      socket.destroy();
    }
  });

  it('survives headers without end or measure', async () => {
    const begin = frame(FRAME.headers, grpcHeaders(VERSION), { stream: 1 });
    const more = frame(FRAME.continuation, headerBlock({ x: 'y'.repeat(16_000) }), { stream: 1 });
    const nothing = frame(FRAME.continuation, Buffer.alloc(0), { stream: 1 });
    await sendToEnd(greeting(), begin, ...Array.from({ length: 2_000 }, () => more));
    await sendToEnd(greeting(), begin, Buffer.concat(Array.from({ length: 100_000 }, () => nothing)));
    // One entry of the table, named again and again: few bytes are many headers.
    const entry = Buffer.concat([Buffer.of(0x40, 1), Buffer.from('x'), integer(4_000, 7, 0), Buffer.alloc(4_000, 'y')]);
    const bomb = Buffer.concat([entry, Buffer.alloc(12_000, 0x80 | 62)]);
    for (let n = 0; n < 20; n++) {
      await sendToEnd(greeting(), frame(FRAME.headers, bomb, { flags: FLAG.endHeaders, stream: 1 }));
    }
    const lots = Object.fromEntries(Array.from({ length: 1_000 }, (_, n) => [`h${n}`, 'v']));
    await sendToEnd(
      greeting(),
      frame(FRAME.headers, grpcHeaders(VERSION, lots), { flags: FLAG.endHeaders, stream: 1 }),
    );
  });

  it('survives calls that are none of gRPC', async () => {
    const paths = [
      '',
      '/',
      'x',
      '*',
      '/no/such',
      '/runtime.v1.RuntimeService/',
      '/runtime.v1.RuntimeService/Nothing',
      '/x'.repeat(5_000),
    ];
    for (const path of paths) await sendToEnd(greeting(), call(1, path, { end: true }));
    const odd: Readonly<Record<string, string>>[] = [
      { ':method': 'GET' },
      { 'content-type': 'text/html' },
      { 'content-type': '' },
      { te: '' },
      { 'grpc-timeout': 'x' },
      { 'grpc-timeout': '99999999999H' },
      { 'grpc-timeout': '0n' },
      { 'grpc-timeout': '-1S' },
      { 'grpc-encoding': 'none-such' },
      { 'grpc-accept-encoding': ','.repeat(1_000) },
      { 'x-bin': '%%%' },
      { 'content-length': '5' },
      { ':authority': '' },
      { ':unknown': 'x' },
      { 'Upper-Case': 'x' },
      { connection: 'close' },
    ];
    for (const headers of odd) {
      const block = grpcHeaders(VERSION, headers);
      const start = frame(FRAME.headers, block, { flags: FLAG.endHeaders, stream: 1 });
      await sendToEnd(greeting(), start, data(1, message(Buffer.alloc(0))));
    }
  });

  it('survives messages that are none, and tells what was wrong', async () => {
    const bodies = [
      Buffer.alloc(0),
      Buffer.alloc(3),
      message(Buffer.alloc(10), { length: 11 }),
      message(Buffer.alloc(10), { length: 0xffffffff }),
      message(Buffer.alloc(10), { length: 16 * 1024 * 1024 + 1 }),
      message(Buffer.alloc(10), { compressed: 1 }),
      message(Buffer.alloc(10), { compressed: 255 }),
      Buffer.concat([message(Buffer.alloc(0)), message(Buffer.alloc(0))]),
    ];
    for (const body of bodies) await sendToEnd(greeting(), call(1, VERSION), data(1, body));
    for (let n = 0; n < TIMES; n++) {
      await sendToEnd(greeting(), call(1, LIST), data(1, message(random.bytes(random.below(60)))));
    }
    for (const { path } of Object.values(RPCS)) {
      const { code } = await statusOf(witness.raw(path, Buffer.from([0xff])));
      expect([status.INVALID_ARGUMENT, status.UNIMPLEMENTED]).toContain(code);
    }
    expect((await statusOf(witness.raw('/no/such', Buffer.alloc(0)))).code).toBe(status.UNIMPLEMENTED);
    const big = await statusOf(witness.raw(VERSION, Buffer.alloc(17 * 1024 * 1024)));
    expect(big.code).toBe(status.RESOURCE_EXHAUSTED);
  });

  it('survives readers that take nothing', async () => {
    const calls = Array.from({ length: 500 }, (_, n) =>
      Buffer.concat([call(2 * n + 1, LIST), data(2 * n + 1, message(Buffer.alloc(0)))]),
    );
    for (let n = 0; n < 10; n++) {
      const socket = await send(greeting([[4, 0]]), ...calls);
      socket.pause();
    }
    const events = Array.from({ length: 100 }, (_, n) =>
      Buffer.concat([call(2 * n + 1, RPCS.GetContainerEvents.path), data(2 * n + 1, message(Buffer.alloc(0)))]),
    );
    await send(greeting([[4, 0]]), ...events);
  });

  it('survives what is left half-way', async () => {
    const halves = [
      [PREFACE],
      [greeting()],
      [greeting(), frame(FRAME.headers, grpcHeaders(VERSION), { stream: 1 })],
      [greeting(), call(1, VERSION)],
      [greeting(), call(1, VERSION), data(1, message(Buffer.alloc(10), { length: 20 }), { end: false })],
      [greeting(), call(1, VERSION), data(1, message(Buffer.alloc(0)), { end: false })],
      [greeting(), call(1, LIST).subarray(0, 30)],
    ];
    for (let n = 0; n < 20; n++) for (const half of halves) await send(...half);
  });

  it('is as it was before, afterwards', async () => {
    expect(house.daemon.pid).toBe(before.pid);
    let now = {};
    await waitFor('rest', 60_000, async () => {
      await alive();
      now = { fds: await descriptors(), memory: await memory() };
      const { fds, memory: rss } = now as { fds: number; memory: number };
      return fds <= before.fds + 5 && rss < before.memory + 100 ? true : undefined;
    }).catch((error: unknown) => expect({ error, now }).toEqual(before));
    expect((await stat(house.daemon.logFile)).size).toBeLessThan(64 * 1024 * 1024);
    const lines = (await house.daemon.log()).trim().split('\n');
    const bad = lines.filter((line) => /"level":[56]0|node warns/.test(line));
    expect(bad.slice(0, 10)).toEqual([]);
  });
});
