/** What goes over an HTTP/2 connection, made by hand (RFC 9113, RFC 7541): Node's own client makes nothing that is wrong. */

export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

export const FRAME = {
  data: 0,
  headers: 1,
  rst: 3,
  settings: 4,
  ping: 6,
  goAway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;
export const FLAG = { ack: 1, endStream: 1, endHeaders: 4 } as const;

interface FrameOptions {
  readonly flags?: number;
  readonly stream?: number;
}

export function frame(
  type: number,
  payload: Uint8Array = Buffer.alloc(0),
  { flags = 0, stream = 0 }: FrameOptions = {},
): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream >>> 0, 5);
  return Buffer.concat([head, payload]);
}

export function settings(entries: readonly (readonly [id: number, value: number])[] = []): Buffer {
  const payload = Buffer.alloc(6 * entries.length);
  entries.forEach(([id, value], index) => {
    payload.writeUInt16BE(id, 6 * index);
    payload.writeUInt32BE(value >>> 0, 6 * index + 2);
  });
  return frame(FRAME.settings, payload);
}

/** Preface and settings, after which a client may ask. */
export function greeting(entries: readonly (readonly [id: number, value: number])[] = []): Buffer {
  return Buffer.concat([PREFACE, settings(entries)]);
}

/** Literals without indexing and without Huffman's code (RFC 7541, 6.2.2). */
export function headerBlock(headers: Readonly<Record<string, string>>): Buffer {
  const parts = Object.entries(headers).map(([name, value]) => Buffer.concat([Buffer.of(0), text(name), text(value)]));
  return Buffer.concat(parts);
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value, 'latin1');
  return Buffer.concat([integer(bytes.length, 7, 0), bytes]);
}

/** RFC 7541, 5.1. */
export function integer(value: number, bits: number, prefix: number): Buffer {
  const limit = 2 ** bits - 1;
  if (value < limit) return Buffer.of(prefix | value);
  const bytes = [prefix | limit];
  let rest = value - limit;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  bytes.push(rest);
  return Buffer.from(bytes);
}

export function grpcHeaders(path: string, more: Readonly<Record<string, string>> = {}): Buffer {
  const usual = { ':method': 'POST', ':scheme': 'http', ':path': path, ':authority': 'localhost' };
  return headerBlock({ ...usual, 'content-type': 'application/grpc', te: 'trailers', ...more });
}

/** The beginning of a call; `end`: without a message. */
export function call(stream: number, path: string, { end = false } = {}): Buffer {
  const flags = FLAG.endHeaders | (end ? FLAG.endStream : 0);
  return frame(FRAME.headers, grpcHeaders(path), { flags, stream });
}

/** A gRPC message with its prefix, which may lie. */
export function message(bytes: Uint8Array, { length = bytes.length, compressed = 0 } = {}): Buffer {
  const head = Buffer.alloc(5);
  head[0] = compressed;
  head.writeUInt32BE(length >>> 0, 1);
  return Buffer.concat([head, bytes]);
}

/** A message as the last data of a stream. */
export function data(stream: number, bytes: Uint8Array, { end = true } = {}): Buffer {
  return frame(FRAME.data, bytes, { flags: end ? FLAG.endStream : 0, stream });
}
