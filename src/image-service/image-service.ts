import { chmod, statfs } from 'node:fs/promises';
import { join } from 'node:path';

import { settlesWithin } from '../base/abort.js';
import { nowNs } from '../base/clock.js';
import { codeFor, describeError, hasCode, invalidArgument, type ErrorCode } from '../base/errors.js';
import { ensureDirectory } from '../base/files.js';
import type { Logger } from '../base/log.js';
import { readMountTable } from '../base/mount-table.js';
import { narrowMount } from '../base/sys/sys.js';
import { checkImages, type CheckedImages } from './check-images.js';
import { Collection } from './collection.js';
import { explainImage, type Explanation } from './explain.js';
import { exportImages, type ExportedImage, type ExportOptions, type ExportResult } from './export-images.js';
import { Flights } from './flights.js';
import { ImageStore, type ImageContent } from './image-store.js';
import { importLayout, type ImportOptions } from './import-layout.js';
import { completeName, namesOfImage } from './image-names.js';
import { ImageUses } from './image-uses.js';
import { LayerStore } from './layers/layer-store.js';
import { mountLayers, mountReadOnly, unmountLayers } from './layers/rootfs.js';
import type { UnpackLimits } from './layers/tar-reader.js';
import { UnpackPool } from './layers/unpack-pool.js';
import { Pinned } from './pinned.js';
import { Progress } from './progress.js';
import { pullImage, type PullContext, type PullOptions } from './pull.js';
import { Breaker, type ServerTrouble } from './registry/breaker.js';
import { DEFAULT_RETRY, type RetryPolicy } from './registry/first-of.js';
import { HttpPool } from './registry/http.js';
import { PartialBlobs } from './registry/partial-blobs.js';
import { Proxies } from './registry/proxies.js';
import { Registries } from './registry/registries.js';
import { TokenCache } from './registry/token-cache.js';
import { RunMark } from './run-mark.js';
import { Lookaside } from './trust/simple/lookaside.js';
import { SignaturePolicy } from './trust/signature-policy.js';
import { UseNotes } from './use-notes.js';
import type {
  ImageFsCapacity,
  ImageFsUsage,
  ImageRecord,
  ImageRootfs,
  MountRootfsOptions,
  MountVolumeOptions,
} from './types.js';

export interface ImageServiceOptions {
  /** The daemon's root: images are in `<root>/images`. */
  readonly root: string;
  /** Directories with a `hosts.toml` a registry. */
  readonly hostsDirs: readonly string[];
  /** Directories with certificates a registry's host, as Docker and containers have them. */
  readonly certsDirs?: readonly string[];
  /** The path of registries.conf, which need not exist. */
  readonly registriesConf?: string;
  /** The path of containers' policy.json, which need not exist. */
  readonly signaturePolicy?: string;
  /** Where it is said where simple signatures are (containers-registries.d(5)); absent: nowhere. */
  readonly registriesD?: string;
  /** Credentials for registries, in the form of Docker's config.json. */
  readonly authFiles?: readonly string[];
  /** Where credentials for one pull of one namespace are left; none if not given. */
  readonly namespacedAuthDir?: string;
  readonly maxParallelLayers: number;
  /** How long a registry may be silent. */
  readonly stallTimeoutMs: number;
  /** Bytes a second that it must send at least, over that time. */
  readonly minRate?: number;
  /** See {@link Pinned}. */
  readonly pinned: readonly string[];
  readonly limits?: UnpackLimits;
  readonly retry?: RetryPolicy;
  /** See {@link PartialBlobs}: how long a download must take to be kept while it is under way. */
  readonly resumeWorthMs?: number;
  /** Where proxies are looked for, the daemon's environment if not given. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  readonly observe?: PullObserver | undefined;
  readonly logger: Logger;
}

/** Told what is pulled. */
export interface PullObserver {
  /** A caller's wish for an image is over; the code is absent if it was met. */
  onPull(pull: { readonly seconds: number; readonly code?: ErrorCode }): void;
  /** A registry server sent so much of a blob. */
  onBytes(count: number): void;
}

const CONNECT_TIMEOUT_MS = 15_000;
/** Init systems wait longer for the end of a service. */
const SETTLE_MS = 5_000;

interface Parts {
  readonly context: PullContext & { readonly pool: UnpackPool };
  readonly directory: string;
  readonly pinned: Pinned;
  readonly uses: ImageUses;
  readonly collection: Collection;
  readonly observe: PullObserver | undefined;
  readonly runMark: RunMark;
  /** The machine did, in the middle of an earlier run. */
  readonly wentDown: boolean;
}

/** Images: pulled, imported, listed, mounted and removed. Knows nothing of sandboxes and containers but that they are owners. */
export class ImageService implements ImageRootfs {
  readonly #parts: Parts;
  readonly #closing = new AbortController();

  private constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Opens the store and removes what an earlier run left half done. */
  static async open(options: ImageServiceOptions): Promise<ImageService> {
    const { root, logger, stallTimeoutMs, minRate = 0, resumeWorthMs: worthMs } = options;
    const directory = join(root, 'images');
    const quarantine = join(root, 'quarantine');
    await ensureDirectory(root);
    const runMark = new RunMark(join(root, 'images-in-use'));
    const wentDown = await runMark.set();
    // They stand in for the layers that an image lacks: overlays without a writable layer need two.
    for (const name of ['empty', 'empty-below']) {
      await ensureDirectory(join(directory, name));
      await chmod(join(directory, name), 0o755);
    }
    const pool = new UnpackPool();
    const { maxParallelLayers: maxParallel, limits } = options;
    const layers = await LayerStore.open({ directory, quarantine, maxParallel, pool, logger, limits });
    const isWhole = ({ chain }: ImageRecord): boolean => chain.every((chainId) => layers.has(chainId));
    const images = await ImageStore.open({ directory: join(directory, 'records'), quarantine, logger }, isWhole);
    const uses = new ImageUses({ layers, images, notes: await UseNotes.open(join(directory, 'uses'), logger) });
    const times = { connectMs: CONNECT_TIMEOUT_MS, headersMs: stallTimeoutMs, stallMs: stallTimeoutMs, minRate };
    const http = new HttpPool(times, new Proxies(options.environment ?? process.env));
    const flights = new Flights<ImageContent>();
    const trust = new SignaturePolicy(options.signaturePolicy);
    // What cannot be read refuses the start, not one pull after the other.
    await trust.read();
    const registries = new Registries(options);
    await registries.refresh();
    const patience = { retry: options.retry ?? DEFAULT_RETRY, breaker: new Breaker({ logger }) };
    const partials = new PartialBlobs({ directory: join(directory, 'partial'), logger, worthMs });
    partials.start();
    const content = { images, layers, pool, partials, trust, progress: new Progress(), tokens: new TokenCache() };
    const { observe } = options;
    const onBytes = observe === undefined ? undefined : (count: number) => observe.onBytes(count);
    const { authFiles = [], namespacedAuthDir = '' } = options;
    const lookaside = new Lookaside(options.registriesD ?? '');
    const sources = { authFiles, namespacedAuthDir, registries, lookaside };
    const context = { ...content, ...sources, http, flights, patience, onBytes, logger };
    return new ImageService({
      context,
      directory,
      pinned: new Pinned(options.pinned, logger),
      uses,
      collection: new Collection({ ...context, uses }),
      observe,
      runMark,
      wentDown,
    });
  }

  /** Images that are listed, in no order. */
  list(): readonly ImageRecord[] {
    return this.#parts.context.images.list();
  }

  resolve(image: string): ImageRecord {
    const { images, registries } = this.#parts.context;
    const names = registries.localNames(image);
    const found = images
      .list()
      .find(({ repoTags, repoDigests }) => names.some((name) => repoTags.includes(name) || repoDigests.includes(name)));
    return found ?? images.resolve(names.at(-1) ?? image);
  }

  /** {@link resolve}, where an image that is not there is no error. */
  find(image: string): ImageRecord | undefined {
    try {
      return this.resolve(image);
    } catch (error) {
      if (hasCode(error, 'not-found')) return undefined;
      throw error;
    }
  }

  /**
   * How an image is called, of which somebody asked for `asked`, a name or an id: by the name that was asked for, complete,
   * by its first one else; and by a digest in the same repository, if there is one.
   */
  namesOf(imageId: string, asked: string): { readonly name: string; readonly digested: string } {
    return namesOfImage(this.#parts.context.images.get(imageId), {
      imageId,
      names: this.#parts.context.registries.localNames(asked),
    });
  }

  isPinned(image: ImageRecord): boolean {
    return this.#parts.pinned.has(image);
  }

  /** See {@link pullImage}. */
  async pull(image: string, options?: PullOptions): Promise<ImageRecord> {
    const { context, observe } = this.#parts;
    const started = performance.now();
    const seconds = (): number => (performance.now() - started) / 1000;
    try {
      const record = await pullImage(context, image, options);
      observe?.onPull({ seconds: seconds() });
      return record;
    } catch (error) {
      observe?.onPull({ seconds: seconds(), code: codeFor(error) });
      await this.#parts.collection.makeRoom(error);
      throw error;
    }
  }

  /** How far fetches are that told their keys by `onFetch`. */
  get progress(): Progress {
    return this.#parts.context.progress;
  }

  /** See {@link exportImages}. An image asked for by a name goes by that, by its id by all its names. */
  export(names: readonly string[], options: ExportOptions): AsyncGenerator<Uint8Array, ExportResult[]> {
    const images = names.map((name): ExportedImage => {
      const image = this.resolve(name);
      const asked = this.#parts.context.registries.localNames(name).map(completeName);
      const own = image.repoTags.filter((tag) => asked.includes(tag));
      return { image, names: own.length > 0 ? own : image.repoTags };
    });
    return exportImages(this.#parts.context, images, options);
  }

  /** See {@link importLayout}. */
  async importLayout(path: string, options?: ImportOptions): Promise<ImageRecord[]> {
    try {
      return await importLayout(this.#parts.context, path, options);
    } catch (error) {
      await this.#parts.collection.makeRoom(error);
      throw error;
    }
  }

  /**
   * Removes an image with all its names, as CRI has it for any of them; one that is not there is fine. Layers in use
   * stay until they are let go.
   */
  async remove(image: string): Promise<void> {
    const found = this.find(image);
    if (found === undefined) return;
    await this.#parts.context.images.unlist(found.id);
    await this.#parts.collection.run();
  }

  /** Removes the images that nobody uses and that are not pinned, and returns them; with what waits for other pulls. */
  async prune(): Promise<ImageRecord[]> {
    const { images, partials } = this.#parts.context;
    const unused = this.list().filter((image) => !this.isPinned(image) && !this.#parts.uses.has(image));
    for (const { id } of unused) await images.unlist(id);
    await this.#parts.collection.run({ all: true });
    await partials.clear();
    return unused;
  }

  /** See {@link checkImages}. */
  async check(options: { readonly repair: boolean }): Promise<CheckedImages> {
    const { images, layers } = this.#parts.context;
    const mayRemove = options.repair && this.#parts.uses.areKnown;
    const checked = await checkImages({ images, layers, signal: this.#closing.signal, repair: mayRemove });
    if (mayRemove && checked.damaged > 0) await this.#parts.collection.run({ all: true });
    return checked;
  }

  /** Checks and repairs in the background, if the machine went down without warning since the last run. */
  checkAfterCrash(): void {
    const { logger } = this.#parts.context;
    if (!this.#parts.wentDown) return;
    logger.info('the machine went down without warning: the layers of images are counted again');
    this.check({ repair: true }).then(
      ({ layers, images }) => {
        for (const { image, ...rest } of images) logger.error({ image: image.id, ...rest }, 'an image is damaged');
        logger.info({ layers, damagedImages: images.length }, 'layers of images are counted');
      },
      (error: unknown) => logger.warn({ error: describeError(error) }, 'the layers of images were not counted'),
    );
  }

  /** The registry servers that are asked last for now, and why. */
  serversInTrouble(): ServerTrouble[] {
    return this.#parts.context.patience.breaker.all();
  }

  /** See {@link explainImage}. */
  explain(image: string): Promise<Explanation[]> {
    return explainImage(this.#parts.context, image);
  }

  async mountRootfs({ imageId, owner, target, writable, userns, label }: MountRootfsOptions): Promise<void> {
    const lower = await this.#parts.uses.begin(owner, imageId, target);
    const stack = lower.length > 0 ? lower : [join(this.#parts.directory, 'empty')];
    try {
      await mountLayers({ lower: stack, target, writable, userns, label });
    } catch (error) {
      await this.#parts.uses.release(owner);
      throw error;
    }
  }

  async mountVolume({ imageId, owner, target, subPath, userns, label }: MountVolumeOptions): Promise<void> {
    const layers = await this.#parts.uses.begin(owner, imageId, target);
    const empty = ['empty', 'empty-below'].map((name) => join(this.#parts.directory, name));
    const lower = [...layers, ...empty];
    try {
      await mountReadOnly({ lower, target, userns, label });
      if (subPath !== '' && !(await narrowMount(target, subPath)))
        throw invalidArgument(`image ${imageId} has no directory "${subPath}"`);
    } catch (error) {
      await unmountLayers(target);
      throw error;
    }
  }

  async unmountRootfs({ owner, target }: { readonly owner: string; readonly target: string }): Promise<void> {
    await unmountLayers(target);
    await this.#parts.uses.release(owner);
    await this.#parts.collection.run();
  }

  adopt(owner: string, imageId: string): void {
    const { logger } = this.#parts.context;
    if (!this.#parts.uses.adopt(owner, imageId))
      logger.warn(
        { owner, image: imageId },
        'an image in use is unknown: its layers stay for as long as they are used',
      );
  }

  /** After a restart: `owner` uses an image, and its record does not tell which. */
  adoptUnknown(owner: string): void {
    if (!this.#parts.uses.adoptUnknown(owner))
      this.#parts.context.logger.warn({ owner }, 'nobody knows which image is used: no layer goes while it is');
  }

  /**
   * Says that all owners of an earlier run have been adopted: from now on what nobody uses may go. No new ones may come meanwhile.
   * @param owners those that there are, whether they were adopted or not
   */
  async settle(owners: Iterable<string>): Promise<void> {
    await this.#parts.uses.settle(new Set(owners), await readMountTable());
  }

  /** {@link settle}, if that was not called yet; then removes what nobody uses, and goes on to from time to time. */
  async sweep(owners: Iterable<string> = []): Promise<void> {
    if (!this.#parts.uses.isSettled) await this.settle(owners);
    await this.#parts.collection.run();
    this.#parts.collection.start();
  }

  usage(): ImageFsUsage {
    const { size, inodes } = this.#parts.context.layers.totals();
    return { path: this.#parts.directory, bytes: size, inodes, timestampNs: nowNs() };
  }

  async capacity(): Promise<ImageFsCapacity> {
    const { bsize, blocks, bavail } = await statfs(this.#parts.directory);
    return { capacityBytes: bsize * blocks, availableBytes: bsize * bavail };
  }

  /** Makes ready what the first pull would wait for. */
  warmUp(): Promise<void> {
    return this.#parts.context.pool.keepOne();
  }

  /** Ends connections and threads; pulls under way fail. */
  async close(): Promise<void> {
    const { http, layers, partials, pool } = this.#parts.context;
    this.#closing.abort();
    partials.stop();
    this.#parts.collection.stop();
    await http.close();
    // What failed pulls leave may be a disk full of small files; the next start removes what is left of it.
    if (!(await settlesWithin(layers.settle(), SETTLE_MS))) pool.stopRemoving();
    await layers.settle();
    await pool.close();
    await this.#parts.runMark.clear();
  }
}
