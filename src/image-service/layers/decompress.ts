import { finished } from 'node:stream/promises';

import { codeOf } from '../../base/errors.js';
import { IsalGunzip } from './isal-gunzip.js';
import { broken, NodeZlib } from './node-zlib.js';
import { ZstdCommand } from './zstd-command.js';

type OnPlain = (chunk: Buffer) => void;

/** One way to decompress. What `onPlain` throws comes out of `push` or `end`. */
interface Method {
  push(chunk: Buffer): Promise<void> | void;
  end(): Promise<void> | void;
  close(): void;
}

/**
 * Decompresses what is pushed and hands it on, in order. The compression is known by its first bytes, not by the media
 * type, which some registries and builders get wrong.
 */
export class Decompressor {
  readonly #onPlain: OnPlain;
  #start: Buffer | undefined = Buffer.alloc(0);
  #method: Method | undefined;

  /** @param onPlain may throw: the next `push` or `end` then rejects with that. The chunk's memory is used again after it returns. */
  constructor(onPlain: OnPlain) {
    this.#onPlain = onPlain;
  }

  /** Resolves when the chunk has been decompressed and handed on. */
  async push(chunk: Buffer): Promise<void> {
    if (this.#start === undefined) return this.#pass(chunk);
    this.#start = this.#start.length === 0 ? Buffer.from(chunk) : Buffer.concat([this.#start, chunk]);
    return this.#start.length < 4 ? undefined : this.#begin();
  }

  /** Resolves when all has been handed on. @throws data-loss if the stream is cut off or broken. */
  async end(): Promise<void> {
    await this.#begin();
    await this.#method?.end();
  }

  close(): void {
    this.#method?.close();
  }

  async #begin(): Promise<void> {
    const start = this.#start;
    if (start === undefined) return;
    this.#start = undefined;
    this.#method = methodFor(start, this.#onPlain);
    if (start.length > 0) await this.#pass(start);
  }

  async #pass(chunk: Buffer): Promise<void> {
    if (this.#method === undefined) this.#onPlain(chunk);
    else await this.#method.push(chunk);
  }
}

/** The magic numbers of gzip (RFC 1952) and of zstd's frames; pzstd and others begin with a frame to be skipped (RFC 8878, 3.1). */
function methodFor(start: Buffer, onPlain: OnPlain): Method | undefined {
  const magic = start.toString('hex', 0, 4);
  if (magic.startsWith('1f8b')) return IsalGunzip.open(onPlain) ?? NodeZlib.gunzip(onPlain);
  const isZstd = magic === '28b52ffd' || /^5.2a4d18$/.test(magic);
  return isZstd ? (NodeZlib.unzstd(onPlain) ?? new ByCommand(onPlain)) : undefined;
}

/** {@link ZstdCommand} as a method. */
class ByCommand implements Method {
  readonly #command = new ZstdCommand();
  #failure: { readonly error: unknown } | undefined;
  #wake: (() => void) | undefined;

  constructor(onPlain: OnPlain) {
    this.#command.on('data', (plain: Buffer) => this.#hand(plain, onPlain));
    this.#command.on('error', (error) => this.#fail(codeOf(error) === undefined ? broken(error) : error));
  }

  /** A stream does not call back for the chunk that it fails on. */
  async push(chunk: Buffer): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      this.#command.write(chunk, () => resolve());
    });
    this.#check();
  }

  async end(): Promise<void> {
    this.#command.end();
    await finished(this.#command).catch((error: unknown) => this.#fail(error));
    this.#check();
  }

  close(): void {
    this.#command.destroy();
  }

  #hand(plain: Buffer, onPlain: OnPlain): void {
    if (this.#failure !== undefined) return;
    try {
      onPlain(plain);
    } catch (error) {
      this.#failure = { error };
    }
  }

  #check(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  #fail(error: unknown): void {
    this.#failure ??= { error };
    this.#wake?.();
  }
}
