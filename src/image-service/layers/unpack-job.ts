import type { Hash } from 'node:crypto';

import { dataLoss, resourceExhausted } from '../../base/errors.js';
import { algorithmOf, hashFor } from '../registry/digest.js';
import { Decompressor } from './decompress.js';
import { TarReader, type UnpackLimits } from './tar-reader.js';
import { Untar, type DiskUse } from './untar.js';

export const DEFAULT_LIMITS: UnpackLimits = { maxEntries: 4_000_000, maxBytes: 256 * 2 ** 30 };

/** What the manifest and the image configuration say of a layer. */
export interface ExpectedLayer {
  /** Of the compressed bytes. */
  readonly digest: string;
  readonly size: number;
  /** Of the uncompressed archive. */
  readonly diffId: string;
}

export interface UnpackRequest {
  /** A new, empty directory. */
  readonly directory: string;
  readonly limits: UnpackLimits;
  /** Absent for archives that are no layer. */
  readonly expected?: ExpectedLayer;
}

/** Unpacks one layer from pushed chunks, checking both digests on the way. Runs in an unpacking thread. */
export class UnpackJob {
  readonly #request: UnpackRequest;
  readonly #untar: Untar;
  readonly #reader: TarReader;
  readonly #decompressor = new Decompressor((plain) => this.#onPlain(plain));
  readonly #compressed: Hash;
  readonly #plain: Hash;
  #compressedSize = 0;
  #plainSize = 0;

  constructor(request: UnpackRequest) {
    this.#request = request;
    this.#untar = new Untar(request.directory);
    this.#reader = new TarReader(this.#untar, request.limits);
    this.#compressed = hashFor(request.expected?.digest ?? 'sha256:');
    this.#plain = hashFor(request.expected?.diffId ?? 'sha256:');
  }

  /** Resolves when the chunk has been unpacked. @throws data-loss, resource-exhausted, or an error of the disk. */
  async push(chunk: Buffer): Promise<void> {
    this.#compressedSize += chunk.length;
    const { expected } = this.#request;
    if (expected !== undefined && this.#compressedSize > expected.size)
      throw dataLoss(`is longer than the ${expected.size} bytes that the manifest says`);
    if (expected !== undefined) this.#compressed.update(chunk);
    await this.#decompressor.push(chunk);
  }

  /** Verifies the whole layer. The compressed bytes come first: if they are wrong, all else only follows. */
  async end(): Promise<void> {
    const { expected } = this.#request;
    if (expected !== undefined) this.#verifyCompressed(expected);
    await this.#decompressor.end();
    this.#reader.end();
    if (expected !== undefined) compare('uncompressed digest', this.#plain, expected.diffId);
  }

  finish(lowers: readonly string[]): DiskUse {
    return this.#untar.finish(lowers);
  }

  abandon(): void {
    this.#decompressor.close();
    this.#untar.abandon();
  }

  #verifyCompressed(expected: ExpectedLayer): void {
    if (this.#compressedSize !== expected.size)
      throw dataLoss(`has ${this.#compressedSize} bytes, where the manifest says ${expected.size}`);
    compare('digest', this.#compressed, expected.digest);
  }

  #tooMuch(): Error {
    const { current } = this.#reader;
    const at = current === '' ? '' : `, at entry ${current}`;
    return resourceExhausted(`unpacks to more than ${this.#request.limits.maxBytes} bytes${at}`);
  }

  #onPlain(chunk: Buffer): void {
    const { expected, limits } = this.#request;
    this.#plainSize += chunk.length;
    if (this.#plainSize > limits.maxBytes) throw this.#tooMuch();
    if (expected !== undefined) this.#plain.update(chunk);
    this.#reader.push(chunk);
  }
}

function compare(what: string, hash: Hash, expected: string): void {
  const found = `${algorithmOf(expected)}:${hash.digest('hex')}`;
  if (found !== expected) throw dataLoss(`has the ${what} ${found}, not ${expected}`);
}
