/** SPDY/3.1's frames (draft 3.1, 2.6), as far as a streaming server sends and reads them. */
export const TYPE = {
  synStream: 1,
  synReply: 2,
  rstStream: 3,
  ping: 6,
  goAway: 7,
  headers: 8,
} as const;

export const VERSION = 3;
export const FLAG_FIN = 1;
export const FLAG_UNIDIRECTIONAL = 2;
export const HEADER_BYTES = 8;
/** Why a stream ends (2.6.3). Never 0: Go clients close the connection on it. */
export const RESET = { protocolError: 1, refusedStream: 3, cancel: 5 } as const;
/** Why a connection ends (2.6.6). */
export const GOODBYE = { ok: 0, protocolError: 1 } as const;

const CONTROL_BIT = 0x8000;
const ID_MASK = 0x7fffffff;

/** A stream id without the reserved bit. */
export function readStreamId(bytes: Buffer, offset = 0): number {
  return bytes.readUInt32BE(offset) & ID_MASK;
}

export function dataFrame(streamId: number, data: Buffer, flags = 0): Buffer {
  const frame = Buffer.allocUnsafe(HEADER_BYTES + data.length);
  frame.writeUInt32BE(streamId, 0);
  writeLength(frame, flags, data.length);
  data.copy(frame, HEADER_BYTES);
  return frame;
}

/** Accepts a stream; `headers` is a compressed block. */
export function synReply(streamId: number, headers: Buffer): Buffer {
  return controlFrame(TYPE.synReply, Buffer.concat([words(streamId), headers]));
}

export function rstStream(streamId: number, status: number): Buffer {
  return controlFrame(TYPE.rstStream, words(streamId, status));
}

export function ping(id: number): Buffer {
  return controlFrame(TYPE.ping, words(id));
}

export function goAway(lastStreamId: number, status: number): Buffer {
  return controlFrame(TYPE.goAway, words(lastStreamId, status));
}

export function controlFrame(type: number, payload: Buffer, flags = 0): Buffer {
  const frame = Buffer.allocUnsafe(HEADER_BYTES + payload.length);
  frame.writeUInt16BE(CONTROL_BIT | VERSION, 0);
  frame.writeUInt16BE(type, 2);
  writeLength(frame, flags, payload.length);
  payload.copy(frame, HEADER_BYTES);
  return frame;
}

function writeLength(frame: Buffer, flags: number, length: number): void {
  frame.writeUInt8(flags, 4);
  frame.writeUIntBE(length, 5, 3);
}

function words(...values: readonly number[]): Buffer {
  const bytes = Buffer.allocUnsafe(4 * values.length);
  values.forEach((value, index) => bytes.writeUInt32BE(value, 4 * index));
  return bytes;
}
