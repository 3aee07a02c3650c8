import { open, readdir, rm, stat, unlink, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';

import { describeError, errnoOf } from '../../base/errors.js';
import { ensureDirectory } from '../../base/files.js';
import type { Logger } from '../../base/log.js';
import { fileChunks } from '../layout-files.js';
import type { BlobName } from './manifest.js';

export interface PartialBlobsOptions {
  readonly directory: string;
  /** How long what nobody came back for is kept. */
  readonly maxAgeMs?: number;
  /** Blobs below this size are not worth a file. */
  readonly minSize?: number;
  /** What would be fetched again within that time is not written twice. */
  readonly worthMs?: number | undefined;
  readonly logger: Logger;
}

/** Where the beginning of one blob is kept; plain, so that another thread can be told. */
export interface PartialPlace {
  readonly path: string;
  readonly worthMs: number;
}

export interface PartialLease {
  readonly place: PartialPlace;
  readonly noteTrouble: (error: unknown) => void;
  readonly release: () => void;
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
  /** Those of them that are not to be kept any more. */
  readonly #unwanted = new Set<string>();
  #nextSweep = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: PartialBlobsOptions) {
    this.#options = options;
  }

  /** A place for what comes of a blob, for one download at a time; undefined if there is none to be had. */
  async lease({ digest, size }: BlobName): Promise<PartialLease | undefined> {
    const { directory, minSize = MIN_SIZE, worthMs = WORTH_MS } = this.#options;
    const path = join(directory, digest.replace(':', '-'));
    if (size < minSize || this.#inUse.has(path)) return undefined;
    this.#inUse.add(path);
    const noteTrouble = (error: unknown): void => this.#warn(path, error);
    await this.#sweep().catch(noteTrouble);
    return { place: { path, worthMs }, noteTrouble, release: () => this.#release(path) };
  }

  /** Deletes what is kept, as room is wanted; of a download under way when that ends. */
  async clear(): Promise<void> {
    for (const path of this.#inUse) this.#unwanted.add(path);
    await this.#removeUnused(() => true);
  }

  #release(path: string): void {
    const release = (): void => void this.#inUse.delete(path);
    if (!this.#unwanted.delete(path)) {
      release();
      return;
    }
    void rm(path, { force: true })
      .catch((error: unknown) => this.#warn(path, error))
      .finally(release);
  }

  #warn(path: string, error: unknown): void {
    const message = 'a download will not be resumed if it is cut short';
    this.#options.logger.warn({ path, error: describeError(error) }, message);
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
    const { maxAgeMs = DAY_MS } = this.#options;
    if (Date.now() < this.#nextSweep) return;
    this.#nextSweep = Date.now() + Math.min(maxAgeMs, DAY_MS) / 24;
    await this.#removeUnused(async (path) => Date.now() - (await changedAt(path)) > maxAgeMs);
  }

  async #removeUnused(isOld: (path: string) => boolean | Promise<boolean>): Promise<void> {
    const { directory } = this.#options;
    await ensureDirectory(directory);
    for (const path of (await readdir(directory)).map((name) => join(directory, name)))
      if ((await isOld(path)) && !this.#inUse.has(path)) await rm(path, { force: true });
  }
}

/** When it was last added to; in the future, if it is gone meanwhile. */
async function changedAt(path: string): Promise<number> {
  return stat(path).then(
    ({ mtimeMs }) => mtimeMs,
    () => Infinity,
  );
}

/** One blob's beginning. End it with `keep` or `drop`. */
export class PartialBlob {
  /** Bytes that were there when it was opened. */
  readonly offset: number;
  readonly #place: PartialPlace;
  readonly #size: number;
  readonly #file: FileHandle;
  readonly #opened = performance.now();
  /** Copied into, one while the other is written: chunks that waited for the disk would be garbage that is dear to collect. */
  #batch: Buffer | undefined;
  #spare: Buffer | undefined;
  #batched = 0;
  #writing: Promise<unknown> = Promise.resolve();
  #usable = true;
  #isBegun = false;

  private constructor(place: PartialPlace, blob: { readonly file: FileHandle; offset: number; size: number }) {
    this.#place = place;
    this.#file = blob.file;
    this.#size = blob.size;
    this.offset = blob.offset;
  }

  /** @param size of the whole blob, in bytes */
  static async open(place: PartialPlace, size: number): Promise<PartialBlob> {
    const file = await open(place.path, 'a', 0o600);
    const { size: there } = await file.stat();
    // More than the whole can be no beginning of it.
    if (there > size) await file.truncate(0);
    return new PartialBlob(place, { file, offset: there > size ? 0 : there, size });
  }

  /** The bytes that were there when it was opened. */
  kept(): AsyncIterable<Uint8Array> | [] {
    return this.offset > 0 ? fileChunks(this.#place.path) : [];
  }

  /** Adds what was downloaded next. Waits for the disk only if it is a batch behind. */
  async append(chunk: Uint8Array): Promise<void> {
    for (let rest = chunk; rest.byteLength > 0 && this.#usable;) {
      this.#batch ??= Buffer.allocUnsafeSlow(BATCH);
      const part = rest.subarray(0, BATCH - this.#batched);
      this.#batch.set(part, this.#batched);
      this.#batched += part.byteLength;
      rest = rest.subarray(part.byteLength);
      if (this.#batched < BATCH) return;
      if (this.#isQuick()) this.#usable = false;
      await this.#flush();
    }
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
    await unlink(this.#place.path).catch((error: unknown) => {
      if (errnoOf(error) !== 'ENOENT') throw error;
    });
    await this.#close();
  }

  /** By the first batch: a download that is that fast is not worth its way to the disk. */
  #isQuick(): boolean {
    if (this.offset > 0 || this.#isBegun) return false;
    return ((performance.now() - this.#opened) / this.#batched) * this.#size < this.#place.worthMs;
  }

  async #close(): Promise<void> {
    this.#usable = false;
    await this.#writing;
    await this.#file.close();
  }

  async #flush(): Promise<void> {
    await this.#writing;
    const [batch, length] = [this.#batch, this.#batched];
    this.#batched = 0;
    if (batch === undefined || length === 0 || !this.#usable) return;
    this.#isBegun = true;
    [this.#batch, this.#spare] = [this.#spare, batch];
    // A full disk ends the keeping, not the pull; a short write would leave a hole, so nothing follows it.
    this.#writing = this.#file.write(batch, 0, length).then(
      ({ bytesWritten }) => (this.#usable &&= bytesWritten === length),
      () => (this.#usable = false),
    );
  }
}
