import { open, readdir, rm, stat, unlink, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';

import { describeError, errnoOf } from '../../base/errors.js';
import { ensureDirectory } from '../../base/files.js';
import type { Logger } from '../../base/log.js';
import { fileChunks } from '../layout-files.js';
import type { Descriptor } from './manifest.js';

export interface PartialBlobsOptions {
  readonly directory: string;
  /** How long what nobody came back for is kept. */
  readonly maxAgeMs?: number;
  /** Blobs below this size are not worth a file. */
  readonly minSize?: number;
  /** What would be fetched again within that time is not written twice. */
  readonly worthMs?: number;
  readonly logger: Logger;
}

const DAY_MS = 86_400_000;
const MIN_SIZE = 1 << 20;
const BATCH = 1 << 20;
const WORTH_MS = 2_000;

/**
 * The beginnings of blobs whose download was cut short, by digest. They are a convenience: nothing in them is trusted
 * before the digest of the whole was checked, they are not synced, and what goes wrong with them fails no pull.
 */
export class PartialBlobs {
  readonly #options: PartialBlobsOptions;
  readonly #inUse = new Set<string>();
  #nextSweep = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: PartialBlobsOptions) {
    this.#options = options;
  }

  /** What there is of a blob, to be read and added to by one download at a time; undefined if there is nothing to be had. */
  async open({ digest, size }: Descriptor): Promise<PartialBlob | undefined> {
    const { directory, minSize = MIN_SIZE, worthMs = WORTH_MS, logger } = this.#options;
    const path = join(directory, digest.replace(':', '-'));
    if (size < minSize || this.#inUse.has(path)) return undefined;
    this.#inUse.add(path);
    try {
      await this.#sweep();
      return await PartialBlob.open(path, { size, worthMs, release: () => this.#inUse.delete(path) });
    } catch (error) {
      this.#inUse.delete(path);
      logger.warn({ path, error: describeError(error) }, 'a download will not be resumed if it is cut short');
      return undefined;
    }
  }

  /** Deletes what expires from now on, until `stop`, though nothing be pulled. */
  start(): void {
    const { maxAgeMs = DAY_MS, logger } = this.#options;
    const sweep = (): void =>
      void this.#sweep().catch((error: unknown) =>
        logger.warn({ error: describeError(error) }, 'cannot delete old downloads'),
      );
    sweep();
    this.#timer = setInterval(sweep, Math.min(maxAgeMs, DAY_MS) / 24).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async #sweep(): Promise<void> {
    const { directory, maxAgeMs = DAY_MS } = this.#options;
    if (Date.now() < this.#nextSweep) return;
    this.#nextSweep = Date.now() + Math.min(maxAgeMs, DAY_MS) / 24;
    await ensureDirectory(directory);
    for (const path of (await readdir(directory)).map((name) => join(directory, name)))
      if (!this.#inUse.has(path) && Date.now() - (await changedAt(path)) > maxAgeMs) await rm(path, { force: true });
  }
}

/** When it was last added to; in the future, if it is gone meanwhile. */
async function changedAt(path: string): Promise<number> {
  return stat(path).then(
    ({ mtimeMs }) => mtimeMs,
    () => Infinity,
  );
}

interface PartialBlobOptions {
  /** Of the whole blob. */
  readonly size: number;
  readonly worthMs: number;
  readonly release: () => void;
}

/** One blob's beginning. End it with `keep` or `drop`. */
export class PartialBlob {
  /** Bytes that were there when it was opened. */
  readonly offset: number;
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #options: PartialBlobOptions;
  readonly #opened = performance.now();
  #batch: Uint8Array[] = [];
  #batched = 0;
  #writing: Promise<unknown> = Promise.resolve();
  #usable = true;
  #isBegun = false;

  private constructor(parts: { path: string; file: FileHandle; offset: number }, options: PartialBlobOptions) {
    this.#path = parts.path;
    this.#file = parts.file;
    this.offset = parts.offset;
    this.#options = options;
  }

  static async open(path: string, options: PartialBlobOptions): Promise<PartialBlob> {
    const file = await open(path, 'a', 0o600);
    const { size: there } = await file.stat();
    // More than the whole can be no beginning of it.
    if (there > options.size) await file.truncate(0);
    return new PartialBlob({ path, file, offset: there > options.size ? 0 : there }, options);
  }

  read(): AsyncIterable<Uint8Array> {
    return fileChunks(this.#path);
  }

  /** Adds what was downloaded next. Waits for the disk only if it is a batch behind. */
  async append(chunk: Uint8Array): Promise<void> {
    if (!this.#usable) return;
    this.#batch.push(chunk);
    this.#batched += chunk.byteLength;
    if (this.#batched < BATCH) return;
    if (this.#isQuick()) this.#usable = false;
    await this.#flush();
  }

  /** Leaves it for the next download. */
  async keep(): Promise<void> {
    if (!this.#usable && !this.#isBegun && this.offset === 0) return this.drop();
    await this.#flush();
    await this.#close();
  }

  /** Deletes it: the blob is complete, or what is here is wrong. */
  async drop(): Promise<void> {
    this.#usable = false;
    await unlink(this.#path).catch((error: unknown) => {
      if (errnoOf(error) !== 'ENOENT') throw error;
    });
    await this.#close();
  }

  /** By the first batch: a download that is that fast is not worth its way to the disk. */
  #isQuick(): boolean {
    const { size, worthMs } = this.#options;
    if (this.offset > 0 || this.#isBegun) return false;
    return ((performance.now() - this.#opened) / this.#batched) * size < worthMs;
  }

  async #close(): Promise<void> {
    this.#usable = false;
    await this.#writing;
    await this.#file.close();
    this.#options.release();
  }

  async #flush(): Promise<void> {
    const batch = this.#batch;
    this.#batch = [];
    this.#batched = 0;
    await this.#writing;
    if (batch.length === 0 || !this.#usable) return;
    this.#isBegun = true;
    // A full disk ends the keeping, not the pull; a short write would leave a hole, so nothing follows it.
    this.#writing = this.#file.writev(batch).then(
      ({ bytesWritten }) =>
        (this.#usable &&= bytesWritten === batch.reduce((sum, { byteLength }) => sum + byteLength, 0)),
      () => (this.#usable = false),
    );
  }
}
