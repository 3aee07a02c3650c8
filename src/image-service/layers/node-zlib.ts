import * as zlib from 'node:zlib';
import type { Transform } from 'node:stream';

import { dataLoss, unimplemented, type GantryError } from '../../base/errors.js';

/** Small enough for the processor's cache: what is written here is hashed and copied to a file at once. */
const OUTPUT_BYTES = 128 << 10;

/** What Node's compression streams call into, on 20 to 24 alike; npm's own tar is built on it, too (its library minizlib). */
interface Handle {
  writeSync(flush: number, input: Buffer, at: number, length: number, output: Buffer, into: number, room: number): void;
}

/** A stream of node:zlib as seen from inside. `_writeState` is what a call left: room in the output, then bytes of the input. */
type ZlibStream = Transform & { readonly _handle?: Handle; readonly _writeState?: Uint32Array };

/** Node has zstd from 22.15 on; the types of the oldest Node that we support do not know it. */
const { createZstdDecompress } = zlib as {
  createZstdDecompress?: (options: { readonly params: Readonly<Record<number, number>> }) => ZlibStream;
};
const ZSTD_END = 2;
/** ZSTD_d_windowLogMax. */
const WINDOW_LOG_MAX = 100;
/** A frame says itself how much memory it takes, up to gigabytes. Level 19 takes 8 MiB, as the most that builders of images use. */
export const ZSTD_WINDOW_LOG = 25;

/**
 * Node's decompressors, run in the calling thread. As streams they go to a pool of threads and back for each chunk, leave all they made to the
 * garbage collector, and end at the first of several zstd frames, which layers of zstd:chunked and pzstd consist of.
 */
export class NodeZlib {
  readonly #stream: ZlibStream;
  readonly #finish: number;
  readonly #onPlain: (chunk: Buffer) => void;
  readonly #output = Buffer.allocUnsafeSlow(OUTPUT_BYTES);

  private constructor(stream: ZlibStream, finish: number, onPlain: (chunk: Buffer) => void) {
    this.#stream = stream;
    this.#finish = finish;
    this.#onPlain = onPlain;
    stream.on('error', () => undefined);
  }

  /** @param onPlain takes what is decompressed; the buffer is written over after it returns */
  static gunzip(onPlain: (chunk: Buffer) => void): NodeZlib {
    return new NodeZlib(zlib.createGunzip(), zlib.constants.Z_FINISH, onPlain);
  }

  /** Undefined where Node has no zstd. */
  static unzstd(onPlain: (chunk: Buffer) => void): NodeZlib | undefined {
    return createZstdDecompress === undefined
      ? undefined
      : new NodeZlib(createZstdDecompress({ params: { [WINDOW_LOG_MAX]: ZSTD_WINDOW_LOG } }), ZSTD_END, onPlain);
  }

  /** @throws data-loss if the data is broken; what `onPlain` throws */
  push(chunk: Buffer): void {
    this.#run(chunk, 0);
  }

  /** @throws data-loss if the data is cut off */
  end(): void {
    this.#run(Buffer.alloc(0), this.#finish);
  }

  close(): void {
    this.#stream.destroy();
  }

  /** Goes on while there is more to be had: another piece of the output, another frame of the input. What follows the last member of gzip is rubbish. */
  #run(input: Buffer, flush: number): void {
    for (let at = 0; ;) {
      const { room, left } = this.#step(input, at, flush);
      const progress = input.length - left > at || room < OUTPUT_BYTES;
      if (room < OUTPUT_BYTES) this.#onPlain(this.#output.subarray(0, OUTPUT_BYTES - room));
      at = input.length - left;
      if (!progress || (room > 0 && left === 0)) return;
    }
  }

  #step(input: Buffer, at: number, flush: number): { readonly room: number; readonly left: number } {
    const { _handle: handle, _writeState: state } = this.#stream;
    if (handle === undefined || state === undefined) throw unimplemented(`node:zlib of Node ${process.version}`);
    handle.writeSync(flush, input, at, input.length - at, this.#output, 0, OUTPUT_BYTES);
    if (this.#stream.errored !== null) throw broken(this.#stream.errored);
    return { room: state[0] ?? 0, left: state[1] ?? 0 };
  }
}

export function broken(cause: unknown): GantryError {
  return dataLoss('the compressed data is broken or cut off', cause);
}
