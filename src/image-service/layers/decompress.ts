import * as zlib from 'node:zlib';
import type { Transform } from 'node:stream';
import { finished } from 'node:stream/promises';

import { codeOf, dataLoss, type GantryError, wrapError } from '../../base/errors.js';
import { ZstdCommand } from './zstd-command.js';

/** Each chunk is a turn in libuv's pool: with zlib's default of 16 KiB it takes twice the time, with 128 KiB a fifth more. */
const CHUNK_SIZE = 1 << 20;

/**
 * Decompresses what is pushed and hands it on, in order. The compression is known by its first bytes, not by the media
 * type, which some registries and builders get wrong.
 */
export class Decompressor {
  readonly #onPlain: (chunk: Buffer) => void;
  #start: Buffer | undefined = Buffer.alloc(0);
  #stream: Transform | undefined;
  #failure: GantryError | undefined;
  #wake: (() => void) | undefined;

  /** @param onPlain may throw: the next `push` or `end` then rejects with that. */
  constructor(onPlain: (chunk: Buffer) => void) {
    this.#onPlain = onPlain;
  }

  /** Resolves when the chunk has been decompressed and handed on. */
  async push(chunk: Buffer): Promise<void> {
    if (this.#start === undefined) return this.#write(chunk);
    this.#start = this.#start.length === 0 ? chunk : Buffer.concat([this.#start, chunk]);
    return this.#start.length < 4 ? undefined : this.#begin();
  }

  /** Resolves when all has been handed on. @throws data-loss if the stream is cut off or broken. */
  async end(): Promise<void> {
    await this.#begin();
    const stream = this.#stream;
    if (stream !== undefined && this.#failure === undefined) {
      stream.end();
      await finished(stream).catch((error: unknown) => this.#fail(error));
    }
    this.#check();
  }

  close(): void {
    this.#stream?.destroy();
  }

  async #begin(): Promise<void> {
    const start = this.#start;
    if (start === undefined) return;
    this.#start = undefined;
    this.#stream = streamFor(start);
    this.#stream?.on('data', (plain: Buffer) => this.#hand(plain));
    this.#stream?.on('error', (error) => this.#fail(error));
    if (start.length > 0) await this.#write(start);
  }

  async #write(chunk: Buffer): Promise<void> {
    const stream = this.#stream;
    if (stream === undefined) this.#hand(chunk);
    else await this.#pass(stream, chunk);
    this.#check();
  }

  /** zlib does not call back for the chunk that it fails on. */
  #pass(stream: Transform, chunk: Buffer): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
      stream.write(chunk, () => resolve());
    });
  }

  #hand(plain: Buffer): void {
    if (this.#failure !== undefined) return;
    try {
      this.#onPlain(plain);
    } catch (error) {
      this.#failure = asGantryError(error);
    }
  }

  #check(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  #fail(error: unknown): void {
    this.#failure ??=
      codeOf(error) === undefined
        ? dataLoss('the compressed data is broken or cut off', error)
        : (error as GantryError);
    this.#wake?.();
  }
}

function asGantryError(error: unknown): GantryError {
  return codeOf(error) === undefined ? wrapError(error, 'cannot unpack') : (error as GantryError);
}

function streamFor(start: Buffer): Transform | undefined {
  const magic = start.toString('hex', 0, 4);
  if (magic.startsWith('1f8b')) return zlib.createGunzip({ chunkSize: CHUNK_SIZE });
  return magic === '28b52ffd' ? zstdStream() : undefined;
}

/** Node has zstd from 22.15 on; the types of the oldest Node that we support do not know it. */
function zstdStream(): Transform {
  const { createZstdDecompress: create } = zlib as { createZstdDecompress?: (options: object) => Transform };
  return create === undefined ? new ZstdCommand() : create({ chunkSize: CHUNK_SIZE });
}
