import { invalidArgument } from '../../../base/errors.js';
import { HEADER_BYTES, readStreamId, VERSION } from './frames.js';

/** A control frame, complete. */
export interface ControlFrame {
  readonly type: number;
  readonly flags: number;
  readonly payload: Buffer;
}

export interface FrameSink {
  onControl(frame: ControlFrame): void;
  /** A part of a DATA frame as it comes, empty for an empty frame; `flags` with the last part, else 0. */
  onData(streamId: number, part: Buffer, flags: number): void;
}

/** SYN_STREAM of a streaming client has less than 200 bytes. */
const MAX_CONTROL_BYTES = 16 * 1024;

interface Pending {
  /** Undefined for DATA. */
  readonly type: number | undefined;
  readonly streamId: number;
  readonly flags: number;
  left: number;
  readonly parts: Buffer[];
}

/** Cuts a connection's bytes into frames. DATA is handed on without waiting for its end. */
export class FrameParser {
  readonly #sink: FrameSink;
  readonly #header = Buffer.alloc(HEADER_BYTES);
  #headerBytes = 0;
  #pending: Pending | undefined;

  constructor(sink: FrameSink) {
    this.#sink = sink;
  }

  /** @throws invalid-argument for what is no frame, and what the sink throws; nothing may be pushed then */
  push(chunk: Buffer): void {
    let rest = chunk;
    while (rest.length > 0)
      rest = this.#pending === undefined ? this.#header8(rest) : this.#payload(rest, this.#pending);
  }

  #header8(chunk: Buffer): Buffer {
    const taken = chunk.copy(this.#header, this.#headerBytes, 0, HEADER_BYTES - this.#headerBytes);
    this.#headerBytes += taken;
    if (this.#headerBytes < HEADER_BYTES) return chunk.subarray(taken);
    this.#headerBytes = 0;
    const frame = parseHeader(this.#header);
    this.#pending = frame;
    if (frame.left === 0) this.#payload(Buffer.alloc(0), frame);
    return chunk.subarray(taken);
  }

  #payload(chunk: Buffer, frame: Pending): Buffer {
    const part = chunk.subarray(0, frame.left);
    frame.left -= part.length;
    if (frame.left === 0) this.#pending = undefined;
    if (frame.type === undefined) this.#sink.onData(frame.streamId, part, frame.left === 0 ? frame.flags : 0);
    else this.#control(frame, frame.type, part);
    return chunk.subarray(part.length);
  }

  #control(frame: Pending, type: number, part: Buffer): void {
    frame.parts.push(part);
    if (frame.left === 0) this.#sink.onControl({ type, flags: frame.flags, payload: Buffer.concat(frame.parts) });
  }
}

function parseHeader(header: Buffer): Pending {
  const common = { flags: header.readUInt8(4), left: header.readUIntBE(5, 3), parts: [] };
  const isControl = (header.readUInt8(0) & 0x80) !== 0;
  if (!isControl) return { ...common, type: undefined, streamId: readStreamId(header) };
  const version = header.readUInt16BE(0) & 0x7fff;
  if (version !== VERSION) throw invalidArgument(`spdy: version ${version} of a frame, expected ${VERSION}`);
  if (common.left > MAX_CONTROL_BYTES) throw invalidArgument(`spdy: a control frame of ${common.left} bytes`);
  return { ...common, type: header.readUInt16BE(2), streamId: 0 };
}
