import { once } from 'node:events';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { constants, deflateSync } from 'node:zlib';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import { codeOf } from '../../base/errors.js';
import type { StreamingServer } from './server.js';
import { SpdyConnection } from './spdy/connection.js';
import { DICTIONARY } from './spdy/dictionary.js';
import { FrameParser } from './spdy/frame-parser.js';
import { controlFrame, dataFrame, ping, rstStream, TYPE } from './spdy/frames.js';
import { shell, SpdyClient, startStreaming, upgrade } from './testing.js';

const V4 = { 'X-Stream-Protocol-Version': 'v4.channel.k8s.io' };

/** A SYN_STREAM whose headers are compressed for the first of a connection. */
function synStream(id: number, block: Buffer, flags = 0): Buffer {
  const options = { dictionary: DICTIONARY, finishFlush: constants.Z_SYNC_FLUSH };
  const start = Buffer.alloc(10);
  start.writeUInt32BE(id);
  return controlFrame(TYPE.synStream, Buffer.concat([start, deflateSync(block, options)]), flags);
}

function headerBlock(headers: readonly (readonly [string, string])[]): Buffer {
  const texts = headers.flat().map((text) => Buffer.concat([word(Buffer.byteLength(text)), Buffer.from(text)]));
  return Buffer.concat([word(headers.length), ...texts]);
}

function word(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** However it ends: what the server did not read any more comes back as a reset. */
function closed(socket: Socket): Promise<unknown> {
  return new Promise((resolve) => socket.once('close', resolve));
}

const streamId = fc.oneof(fc.integer({ min: 0, max: 9 }), fc.constantFrom(0x7fffffff, 0xffffffff));
const header = fc.tuple(
  fc.constantFrom('streamtype', 'port', 'requestid', 'x'),
  fc.constantFrom('stdin', 'stdout', 'error', 'data', '80', '-1', ''),
);
const frame = fc.oneof(
  fc
    .tuple(streamId, fc.uint8Array({ maxLength: 40 }), fc.nat(255))
    .map(([id, data, flags]) => dataFrame(id, Buffer.from(data), flags)),
  fc
    .tuple(streamId, fc.array(header, { maxLength: 4 }), fc.nat(3))
    .map(([id, headers, flags]) => synStream(id, headerBlock(headers), flags)),
  fc.tuple(streamId, fc.uint8Array({ maxLength: 60 })).map(([id, bytes]) => synStream(id, Buffer.from(bytes))),
  fc
    .tuple(fc.nat(12), fc.uint8Array({ maxLength: 30 }), fc.nat(255))
    .map(([type, bytes, flags]) => controlFrame(type, Buffer.from(bytes), flags)),
  streamId.map((id) => rstStream(id, 5)),
  streamId.map((id) => ping(id)),
  fc.uint8Array({ maxLength: 64 }).map((bytes) => Buffer.from(bytes)),
);
/** Frames, cut off somewhere, in pieces of any size. */
const conversation = fc.tuple(
  fc.array(frame, { maxLength: 12 }),
  fc.nat(),
  fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 }),
);

function piecesOf([frames, cut, sizes]: readonly [readonly Buffer[], number, readonly number[]]): Buffer[] {
  const all = Buffer.concat(frames);
  let rest = all.subarray(0, all.length - (cut % 3 === 0 ? cut % (all.length + 1) : 0));
  const pieces: Buffer[] = [];
  for (let n = 0; rest.length > 0; n++) {
    const size = sizes[n % sizes.length] ?? 1;
    pieces.push(rest.subarray(0, size));
    rest = rest.subarray(size);
  }
  return pieces;
}

describe('hostile clients', () => {
  it('cuts frames the same, however they arrive', () => {
    const read = (pieces: readonly Buffer[]): string[] => {
      const seen: string[] = [];
      let data = '';
      const parser = new FrameParser({
        onControl: ({ type, flags, payload }) => seen.push(`control ${type} ${flags} ${payload.toString('hex')}`),
        onData: (id, part, flags) => {
          data += part.toString('hex');
          if (flags !== 0) seen.push(`data ${id} ${flags} ${data}`);
        },
      });
      try {
        for (const piece of pieces) parser.push(piece);
      } catch (error) {
        seen.push(String(codeOf(error)));
      }
      return seen;
    };
    fc.assert(
      fc.property(conversation, (value) => {
        const pieces = piecesOf(value);
        expect(read(pieces)).toEqual(read([Buffer.concat(pieces)]));
      }),
    );
  });

  it('end their own SPDY connection at most, with what was wrong', async () => {
    await fc.assert(
      fc.asyncProperty(conversation, async (value) => {
        const socket = new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done() });
        const accepted: Duplex[] = [];
        const connection = new SpdyConnection(socket, {
          onStream: (stream) => (stream.headers.has('x') ? stream.refuse() : accepted.push(stream.accept())),
          onActivity: () => undefined,
        });
        for (const piece of piecesOf(value)) if (!socket.destroyed) socket.push(piece);
        if (!socket.destroyed) socket.push(null);
        for (const stream of accepted) stream.resume();
        socket.resume();
        const failure = await connection.gone;
        expect([undefined, 'invalid-argument', 'resource-exhausted']).toContain(codeOf(failure));
        expect(accepted.every(({ destroyed }) => destroyed)).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  it('end with a flood of pings whose answers they do not read', async () => {
    const socket = new Duplex({ read: () => undefined, write: () => undefined });
    const connection = new SpdyConnection(socket, { onStream: () => undefined, onActivity: () => undefined });
    const pings = Buffer.concat(Array.from({ length: 1_000 }, (_, n) => ping(2 * n + 1)));
    for (let n = 0; n < 30; n++) if (!socket.destroyed) socket.push(pings);
    expect(codeOf(await connection.gone)).toBe('resource-exhausted');
  });

  describe('of a server', () => {
    let server: StreamingServer;
    beforeAll(async () => {
      server = await startStreaming();
    });
    afterAll(() => server.stop());

    /** A session that was open before, and works after. */
    async function witness(): Promise<() => Promise<void>> {
      const client = await SpdyClient.connect(await server.urlFor(shell('cat')), 'v4.channel.k8s.io');
      const [, stdin, stdout] = [
        await client.open({ streamtype: 'error' }),
        await client.open({ streamtype: 'stdin' }),
        await client.open({ streamtype: 'stdout' }),
        await client.open({ streamtype: 'stderr' }),
      ] as const;
      return async () => {
        client.send(stdin, 'alive');
        client.end(stdin);
        expect(await client.whole(stdout)).toBe('alive');
        client.socket.destroy();
      };
    }

    async function raw(headers: Record<string, string>): Promise<Socket> {
      const { socket } = await upgrade(await server.urlFor(shell('sleep 1000')), headers);
      if (socket === undefined) throw new TypeError('no upgrade');
      socket.on('error', () => undefined);
      socket.resume();
      return socket;
    }

    const closing: readonly (readonly [string, Buffer])[] = [
      ['a bomb of headers', synStream(1, Buffer.alloc(8 * 1024 * 1024))],
      ['headers that are no zlib', controlFrame(TYPE.synStream, Buffer.alloc(40, 0xee))],
      ['more headers than there are bytes', synStream(1, word(3))],
      ['a million headers', synStream(1, word(1_000_000))],
      ['a header longer than its block', synStream(1, Buffer.concat([word(1), word(0xffffffff)]))],
      ['an even stream', synStream(2, headerBlock([]))],
      ['stream 0', synStream(0, headerBlock([]))],
      ['data for no stream', dataFrame(7, Buffer.from('x'))],
      ['data for stream 0', dataFrame(0, Buffer.from('x'))],
      ['an oversized control frame', controlFrame(TYPE.synStream, Buffer.alloc(1 << 20))],
      ['another version', Buffer.concat([Buffer.of(0x80, 0x02, 0, 1, 0, 0, 0, 0)])],
      ['a ping without id', controlFrame(TYPE.ping, Buffer.alloc(2))],
      ['a reset of nothing', controlFrame(TYPE.rstStream, Buffer.alloc(3))],
      ['HTTP', Buffer.from('\x80GET / HTTP/1.1\r\n\r\n')],
    ];
    it.each(closing)('closes on %s', async (_, bytes) => {
      const check = await witness();
      const socket = await raw(V4);
      socket.write(bytes);
      await closed(socket);
      await check();
    });

    it('closes on ids that do not rise', async () => {
      const check = await witness();
      const socket = await raw(V4);
      socket.write(synStream(5, headerBlock([])));
      await once(socket, 'data');
      socket.write(controlFrame(TYPE.synStream, Buffer.concat([word(3), word(0), Buffer.alloc(2)])));
      await closed(socket);
      await check();
    });

    it('survives any bytes on a WebSocket', async () => {
      const check = await witness();
      const websocket = {
        Upgrade: 'websocket',
        'Sec-WebSocket-Version': '13',
        'Sec-WebSocket-Key': Buffer.alloc(16).toString('base64'),
      };
      const protocol = fc.constantFrom('v5.channel.k8s.io', 'v4.base64.channel.k8s.io', 'channel.k8s.io');
      await fc.assert(
        fc.asyncProperty(protocol, fc.array(wsFrame, { maxLength: 6 }), async (name, frames) => {
          const socket = await raw({ ...websocket, 'Sec-WebSocket-Protocol': name });
          socket.end(Buffer.concat(frames));
          await closed(socket);
        }),
        { numRuns: 40 },
      );
      await check();
    });
  });
});

/** A frame with a length, mask and payload that may fit together. */
const wsFrame = fc
  .tuple(fc.nat(255), fc.nat(255), fc.uint8Array({ maxLength: 40 }))
  .map(([first, second, payload]) => Buffer.concat([Buffer.of(first, second), Buffer.from(payload)]));
