import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';

import { packTree } from './pack-tree.js';

export interface PackRequest {
  /** An unpacked layer. */
  readonly directory: string;
  /** The file to write, which must not exist. */
  readonly target: string;
  readonly compress: boolean;
}

export interface Packed {
  /** Digest of the archive. */
  readonly diffId: string;
  /** Of the file, which is compressed or not. */
  readonly digest: string;
  readonly size: number;
}

/** Writes a layer's archive. Runs in an unpacking thread: it reads without waiting. */
export async function packLayer({ directory, target, compress }: PackRequest): Promise<Packed> {
  const [plain, written] = [new Measure(), new Measure()];
  const out = createWriteStream(target, { flags: 'wx', mode: 0o600 });
  if (compress) await pipeline(Readable.from(packTree(directory)), plain, createGzip(), written, out);
  else await pipeline(Readable.from(packTree(directory)), plain, written, out);
  return { diffId: plain.digest(), digest: written.digest(), size: written.size };
}

/** Hashes and counts what passes through. */
class Measure extends Transform {
  readonly #hash = createHash('sha256');
  size = 0;

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: (error: null, chunk: Buffer) => void): void {
    this.#hash.update(chunk);
    this.size += chunk.length;
    done(null, chunk);
  }

  digest(): string {
    return `sha256:${this.#hash.digest('hex')}`;
  }
}
