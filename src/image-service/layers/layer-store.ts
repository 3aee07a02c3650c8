import { readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';

import { throwIfAborted } from '../../base/abort.js';
import { describeError, errnoOf, internal, wrapError } from '../../base/errors.js';
import { ensureDirectory } from '../../base/files.js';
import { KeyedLock } from '../../base/keyed-lock.js';
import type { FairSlots, Slot } from '../../base/fair-slots.js';
import type { Logger } from '../../base/log.js';
import { settleAll } from '../../base/settle-all.js';
import { Flights } from '../flights.js';
import { RecordFiles } from '../records.js';
import type { LayerRecord } from '../types.js';
import { checkLayers, type DamagedLayer } from './check-layers.js';
import { parseLayerRecord } from './layer-record.js';
import { layerSlots, workMeter } from './layer-slots.js';
import { LayerSync } from './layer-sync.js';
import type { UnpackLimits } from './tar-reader.js';
import type { ExpectedLayer } from './unpack-job.js';
import type { UnpackPool } from './unpack-pool.js';
import { UnsyncedLayers } from './unsynced-layers.js';
import type { DiskUse } from './untar.js';

export interface LayerStoreOptions {
  /** `<root>/images` */
  readonly directory: string;
  readonly quarantine: string;
  /** Of one owner's layers. */
  readonly maxParallel: number;
  /** How long layers of a pull that failed wait for another one. */
  readonly unclaimedMs?: number;
  readonly pool: UnpackPool;
  readonly limits?: UnpackLimits | undefined;
  readonly logger: Logger;
}

export interface LayerRequest {
  /** The pull that it is for. */
  readonly owner: string;
  /** Chain ids up to and with the layer, base first. */
  readonly chain: readonly string[];
  readonly expected: ExpectedLayer;
  /** The archive is made here of a blob that is verified before; its own digests are not known. */
  readonly verifiedBefore?: boolean;
  /** Gets the layer's bytes and gives them to `unpack`; may do so again, after a failure, from somewhere else. */
  readonly fetch: (
    unpack: (source: AsyncIterable<Uint8Array>) => Promise<Unpacked>,
    signal: AbortSignal,
  ) => Promise<Unpacked>;
  readonly signal?: AbortSignal | undefined;
}

/** kubelet tries again within five minutes; what nobody comes back for is not to fill the disk, where kubelet does not see it. */
const UNCLAIMED_MS = 3_600_000;

export interface Unpacked {
  readonly name: string;
  readonly use: DiskUse;
}

/**
 * The unpacked layers. A layer is known by its chain id, not by its diff id: the attributes of directories that it does not
 * list come from the layers below, so the same archive on another base is another directory.
 *
 * A layer is unpacked in `ingest/<n>`, moved to `layers/<n>`, and recorded in `layer-records/<n>.json` only after the file
 * system was synced ({@link commit}). What has neither record nor note at start is a stray: its record may be what was damaged, and containers may run on
 * it, so it is deleted when nobody has it mounted any more ({@link discardStrays}).
 *
 * The layers that a pull has finished before it fails are recorded, too ({@link leave}), and wait a while for its retry. So do
 * those that it has finished before the daemon is killed, for which there are notes ({@link UnsyncedLayers}).
 */
export class LayerStore {
  readonly #options: LayerStoreOptions;
  readonly #files: RecordFiles<LayerRecord>;
  readonly #unsynced: UnsyncedLayers;
  readonly #slots: FairSlots;
  readonly #flights = new Flights<LayerRecord>();
  /** Recorded on disk, by chain id. */
  readonly #committed = new Map<string, LayerRecord>();
  /** Unpacked but not yet recorded. */
  readonly #fresh = new Map<string, LayerRecord>();
  readonly #users = new Map<string, ReadonlySet<string>>();
  readonly #background = new Set<Promise<void>>();
  /** Directories of layers that no record tells of. */
  readonly #strays = new Set<string>();
  readonly #commits = new KeyedLock();
  readonly #sync: LayerSync;
  #next = 1;

  private constructor(options: LayerStoreOptions) {
    this.#options = options;
    const directory = join(options.directory, 'layer-records');
    this.#files = new RecordFiles({ ...options, directory, parse: parseLayerRecord });
    this.#unsynced = new UnsyncedLayers(join(options.directory, 'unsynced-layers'));
    this.#slots = layerSlots(options.maxParallel);
    this.#sync = new LayerSync(this.#path('layers'));
  }

  static async open(options: LayerStoreOptions): Promise<LayerStore> {
    const store = new LayerStore(options);
    await store.#load();
    return store;
  }

  has(chainId: string): boolean {
    return this.#committed.has(chainId) || this.#fresh.has(chainId);
  }

  /** The layer's directory. @throws internal if it is not there, which whoever retains it has ruled out. */
  directoryOf(chainId: string): string {
    return this.#path('layers', this.record(chainId).dir);
  }

  record(chainId: string): LayerRecord {
    const record = this.#committed.get(chainId) ?? this.#fresh.get(chainId);
    if (record === undefined) throw internal(`layer ${chainId} is not in the store`);
    return record;
  }

  /** What all layers take on disk. */
  totals(): Pick<DiskUse, 'size' | 'inodes'> {
    const all = this.#all();
    const sum = (of: (record: LayerRecord) => number): number => all.reduce((total, record) => total + of(record), 0);
    return { size: sum(({ size }) => size), inodes: sum(({ inodes }) => inodes) };
  }

  /**
   * Sees to it that a layer is unpacked; whoever else wants it meanwhile waits for the same. Ask base first: a layer holds its slot while it waits for
   * those below, so these must have theirs before.
   */
  async ensure(request: LayerRequest): Promise<void> {
    const { owner, signal } = request;
    const work = request.chain.at(-1);
    if (work === undefined || this.has(work)) return;
    const isUnderWay = this.#flights.peek(work) !== undefined;
    const slot = isUnderWay ? undefined : await this.#slots.take(owner, { work, signal });
    // Another owner that began the same may be done; one that left at once leaves the layer to us, in no slot: those above may have them all.
    if (this.has(work)) {
      slot?.release();
      return;
    }
    const start = (flight: AbortSignal): Promise<LayerRecord> =>
      this.#make(work, { ...request, slot }, flight).finally(() => slot?.release());
    await this.#flights.join(work, start, signal);
  }

  /** Makes an image's layers last: first their files, then the records that speak of them. */
  commit(chain: readonly string[]): Promise<void> {
    return this.#commits.run('commit', async () => {
      await this.#record(chain.filter((chainId) => this.#fresh.has(chainId)));
      for (const chainId of chain) {
        const { unclaimedSince, ...record } = this.record(chainId);
        if (unclaimedSince !== undefined) await this.#write(record);
      }
    });
  }

  /** Keeps those of a chain that are finished for a while, also over a restart: their pull failed, and may be tried again. */
  leave(chain: readonly string[]): void {
    const isFresh = (chainId: string): boolean => this.#fresh.has(chainId);
    const left = chain.filter(isFresh);
    if (left.length === 0) return;
    for (const chainId of left) this.#fresh.set(chainId, { ...this.record(chainId), unclaimedSince: Date.now() });
    const work = this.#commits.run('commit', () => this.#record(left.filter(isFresh)));
    this.#inBackground(work, 'finished layers of a failed pull will not outlive the daemon');
  }

  /** See {@link checkLayers}; those whose counts are not known are taken for whole. */
  async check(signal: AbortSignal): Promise<{ readonly count: number; readonly damaged: DamagedLayer[] }> {
    const layers = [...this.#committed.values()]
      .filter(({ whole }) => whole !== undefined)
      .map((record) => ({ record, path: this.#path('layers', record.dir) }));
    const found = await checkLayers(layers, signal);
    // What was removed meanwhile is no loss.
    return { count: layers.length, damaged: found.filter(({ chainId }) => this.#committed.has(chainId)) };
  }

  /** True if layers wait in vain. */
  get hasExpired(): boolean {
    return this.#all().some((record) => record.unclaimedSince !== undefined && !this.#isAwaited(record));
  }

  /** Keeps layers for a user, beside those that it keeps already. */
  retain(owner: string, chain: readonly string[]): void {
    this.#users.set(owner, new Set([...(this.#users.get(owner) ?? []), ...chain]));
  }

  release(owner: string): void {
    this.#users.delete(owner);
  }

  /** True if somebody keeps all of these layers. */
  isUsed(chain: readonly string[]): boolean {
    return [...this.#users.values()].some((kept) => chain.every((chainId) => kept.has(chainId)));
  }

  /**
   * Removes the layers that no image names and nobody keeps, each at a moment when that is so.
   * @param named the layers that images name by now; asked once, and again for each layer that seems to go: it takes all images
   * @param options.all those, too, that wait for another pull
   */
  async collect(named: () => ReadonlySet<string>, options: { readonly all?: boolean } = {}): Promise<void> {
    const isWanted = (record: LayerRecord, names: ReadonlySet<string>): boolean =>
      (options.all !== true && this.#isAwaited(record)) || names.has(record.chainId) || this.isUsed([record.chainId]);
    const names = named();
    for (const { chainId } of this.#all().filter((record) => !isWanted(record, names)))
      if (this.has(chainId) && !isWanted(this.record(chainId), named())) await this.#remove(this.record(chainId));
  }

  /** Deletes the directories that no record tells of, but for those that are mounted. */
  discardStrays(mounted: ReadonlySet<string>): void {
    for (const name of this.#strays) {
      if (mounted.has(name)) continue;
      this.#strays.delete(name);
      this.discard(this.#path('layers', name));
    }
  }

  /** Chain ids of the layers in these directories. */
  chainsIn(dirs: ReadonlySet<string>): string[] {
    return this.#all().flatMap(({ chainId, dir }) => (dirs.has(dir) ? [chainId] : []));
  }

  /** Chain ids of all layers. */
  all(): string[] {
    return [...this.#committed.keys(), ...this.#fresh.keys()];
  }

  /** A new directory name below `ingest/`, for what is not yet a layer. */
  ingestPath(): { readonly name: string; readonly path: string } {
    const name = String(this.#next++);
    return { name, path: this.#path('ingest', name) };
  }

  /** Deletes a tree in the background. */
  discard(path: string): void {
    this.#inBackground(this.#options.pool.remove(path), 'cannot delete a directory', path);
  }

  /** Waits for what goes on in the background. */
  async settle(): Promise<void> {
    await Promise.all(this.#background);
    await this.#sync.settle();
  }

  #inBackground(work: Promise<void>, failure: string, path?: string): void {
    const { logger } = this.#options;
    const done = work
      .catch((error: unknown) => logger.warn({ path, error: describeError(error) }, failure))
      .finally(() => this.#background.delete(done));
    this.#background.add(done);
  }

  async #record(chainIds: readonly string[]): Promise<void> {
    if (chainIds.length === 0) return;
    await this.#sync.sync();
    // Side by side: each waits for the disk by itself, and an image may have a hundred.
    await settleAll(chainIds.map((chainId) => this.#recordOne(chainId)));
  }

  async #recordOne(chainId: string): Promise<void> {
    const record = this.#fresh.get(chainId);
    // Collected meanwhile, if nobody keeps it; so it may be while its record is written.
    if (record === undefined) return;
    await this.#files.write(record.dir, record);
    if (this.#fresh.get(chainId)?.dir !== record.dir) return this.#files.remove(record.dir);
    this.#committed.set(chainId, record);
    this.#fresh.delete(chainId);
    await this.#unsynced.forget(record);
  }

  async #write(record: LayerRecord): Promise<void> {
    await this.#files.write(record.dir, record);
    this.#committed.set(record.chainId, record);
  }

  /** A clock that was set back makes no layer stay for ever. */
  #isAwaited({ unclaimedSince }: LayerRecord): boolean {
    if (unclaimedSince === undefined) return false;
    return Math.abs(Date.now() - unclaimedSince) < (this.#options.unclaimedMs ?? UNCLAIMED_MS);
  }

  async #make(
    chainId: string,
    { chain, expected, verifiedBefore = false, fetch, slot }: LayerRequest & { readonly slot: Slot | undefined },
    signal: AbortSignal,
  ): Promise<LayerRecord> {
    throwIfAborted(signal);
    const lowers = (): Promise<string[]> => this.#below(chain);
    const onBytes = workMeter(slot);
    const unpack = (source: AsyncIterable<Uint8Array>): Promise<Unpacked> =>
      this.#unpack({ source, expected, verifiedBefore, lowers, onBytes, signal });
    const { name, use } = await fetch(unpack, signal);
    await rename(this.#path('ingest', name), this.#path('layers', name));
    const record: LayerRecord = { chainId, diffId: expected.diffId, dir: name, ...use };
    await this.#unsynced.note(record).catch((error: unknown) => {
      const message = 'a finished layer will be fetched again if the daemon is killed';
      this.#options.logger.warn({ layer: expected.digest, error: describeError(error) }, message);
    });
    this.#fresh.set(chainId, record);
    this.#sync.finished(use.size);
    // Nobody waits for it any more, so the pull that failed has not left it.
    if (signal.aborted) this.leave([chainId]);
    return record;
  }

  async #unpack(options: {
    source: AsyncIterable<Uint8Array>;
    expected: ExpectedLayer;
    verifiedBefore: boolean;
    lowers: () => Promise<string[]>;
    onBytes: (count: number) => void;
    signal: AbortSignal;
  }): Promise<Unpacked> {
    const { pool, limits } = this.#options;
    const { name, path } = this.ingestPath();
    try {
      const { expected, verifiedBefore, ...rest } = options;
      const checks = verifiedBefore ? {} : { expected };
      const use = await pool.unpack({ ...rest, ...checks, directory: path, limits });
      return { name, use };
    } catch (error) {
      this.discard(path);
      throw wrapError(error, `layer ${options.expected.digest}`, 'internal');
    }
  }

  /** The directories of the layers below the last of `chain`, top first, when they are all there. */
  async #below(chain: readonly string[]): Promise<string[]> {
    const lower = chain.slice(0, -1).reverse();
    for (const chainId of lower) await this.#flights.peek(chainId);
    return lower.map((chainId) => this.directoryOf(chainId));
  }

  /** The record goes first: a record without its whole directory would be a broken layer. */
  async #remove(record: LayerRecord): Promise<void> {
    const committed = this.#committed.delete(record.chainId);
    this.#fresh.delete(record.chainId);
    await (committed ? this.#files.remove(record.dir) : this.#unsynced.forget(record));
    const grave = this.#path('ingest', record.dir);
    try {
      await rename(this.#path('layers', record.dir), grave);
    } catch (error) {
      // A damaged layer may have no directory any more.
      if (errnoOf(error) !== 'ENOENT') throw error;
      return;
    }
    this.discard(grave);
  }

  async #load(): Promise<void> {
    await ensureDirectory(this.#path('layers'));
    await ensureDirectory(this.#path('ingest'));
    const present = new Set(await readdir(this.#path('layers')));
    const started = await readdir(this.#path('ingest'));
    for (const [name, record] of await this.#files.load()) {
      if (name === record.dir && present.delete(name)) this.#committed.set(record.chainId, record);
      else await this.#files.setAside(name, internal(`layers/${name} is missing`));
    }
    const finished = await this.#loadUnsynced(present);
    const numbers = [...present, ...started, ...this.#all().map(({ dir }) => dir)].map(Number);
    this.#next = Math.max(0, ...numbers.filter(Number.isSafeInteger)) + 1;
    for (const name of started) this.discard(this.#path('ingest', name));
    for (const name of present) this.#strays.add(name);
    this.leave(finished);
  }

  /** Takes the layers that are noted from those that nobody speaks of. @returns their chain ids */
  async #loadUnsynced(present: Set<string>): Promise<string[]> {
    const taken: string[] = [];
    for (const record of await this.#unsynced.load()) {
      if (this.has(record.chainId) || !present.delete(record.dir)) {
        await this.#unsynced.forget(record);
        continue;
      }
      this.#fresh.set(record.chainId, record);
      taken.push(record.chainId);
    }
    return taken;
  }

  #all(): LayerRecord[] {
    return [...this.#committed.values(), ...this.#fresh.values()];
  }

  #path(...names: string[]): string {
    return join(this.#options.directory, ...names);
  }
}
