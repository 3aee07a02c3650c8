import { compareTimes, nowNs } from '../base/clock.js';
import { invalidArgument, notFound } from '../base/errors.js';
import { KeyedLock } from '../base/keyed-lock.js';
import type { Logger } from '../base/log.js';
import { parseImageRecord, recordName } from './image-record.js';
import { RecordFiles } from './records.js';
import { findImage } from './find-image.js';
import type { ImageConfig, ImageRecord } from './types.js';

export interface ImageStoreOptions {
  readonly directory: string;
  readonly quarantine: string;
  readonly logger: Logger;
}

/** What an image is, whatever its names. */
export interface ImageContent {
  readonly id: string;
  readonly config: ImageConfig;
  readonly configJson: string;
  readonly artifactType?: string;
  readonly chain: readonly string[];
  readonly annotations: Readonly<Record<string, string>>;
  readonly size: number;
}

/** Complete references to add to an image. */
export interface ImageNames {
  readonly tags: readonly string[];
  readonly digests: readonly string[];
}

/** The images' records, on disk and in memory. Changes go one after the other; reads see the last finished one. */
export class ImageStore {
  readonly #files: RecordFiles<ImageRecord>;
  readonly #lock = new KeyedLock();
  readonly #images: Map<string, ImageRecord>;

  private constructor(files: RecordFiles<ImageRecord>, images: Map<string, ImageRecord>) {
    this.#files = files;
    this.#images = images;
  }

  /** @param isWhole tells whether an image's layers are all there; one without is set aside, to be pulled again. */
  static async open(options: ImageStoreOptions, isWhole: (record: ImageRecord) => boolean): Promise<ImageStore> {
    const files = new RecordFiles({ ...options, parse: parseImageRecord });
    const images = new Map<string, ImageRecord>();
    for (const [name, record] of await files.load()) {
      if (name === recordName(record.id) && isWhole(record)) images.set(record.id, record);
      else await files.setAside(name, notFound(`a layer of image ${record.id} is missing`));
    }
    const store = new ImageStore(files, images);
    await store.#settleTags();
    return store;
  }

  /** The images that answer to their names. */
  list(): ImageRecord[] {
    return [...this.#images.values()].filter(({ state }) => state === 'listed');
  }

  /** All images, also those that only containers hold. */
  all(): ImageRecord[] {
    return [...this.#images.values()];
  }

  get(id: string): ImageRecord | undefined {
    return this.#images.get(id);
  }

  /** @throws not-found; invalid-argument for what can name no image, or several */
  resolve(text: string): ImageRecord {
    if (text === '') throw invalidArgument('image must not be empty');
    const found = findImage(this.list(), text);
    if (found === undefined) throw notFound(`image ${JSON.stringify(text)} is not here`);
    return found;
  }

  /** Adds an image, or names to one that is there. A tag belongs to one image: the one that had it loses it. */
  async add(content: ImageContent, names: ImageNames): Promise<ImageRecord> {
    return this.#lock.run('images', async () => {
      const record = withNames(this.#images.get(content.id), content, names);
      await this.#write(record);
      await this.#takeTags(record);
      return record;
    });
  }

  /** Takes all names from an image; it stays for those who use its layers. */
  async unlist(id: string): Promise<void> {
    await this.#lock.run('images', async () => {
      const record = this.#images.get(id);
      if (record !== undefined) await this.#write({ ...record, state: 'removed', repoTags: [], repoDigests: [] });
    });
  }

  /** Forgets images that are unlisted, if `isUsed` says that they may go. */
  async forgetRemoved(isUsed: (record: ImageRecord) => boolean): Promise<void> {
    await this.#lock.run('images', async () => {
      for (const record of this.all()) {
        if (record.state === 'listed' || isUsed(record)) continue;
        await this.#files.remove(recordName(record.id));
        this.#images.delete(record.id);
      }
    });
  }

  async #write(record: ImageRecord): Promise<void> {
    await this.#files.write(recordName(record.id), record);
    this.#images.set(record.id, record);
  }

  async #takeTags({ id, repoTags }: ImageRecord): Promise<void> {
    for (const other of this.all()) {
      const left = other.repoTags.filter((tag) => !repoTags.includes(tag));
      if (other.id !== id && left.length < other.repoTags.length) await this.#write({ ...other, repoTags: left });
    }
  }

  /** After a crash between the two writes of a moved tag, the later record has it. */
  async #settleTags(): Promise<void> {
    const byAge = this.all().sort((a, b) => compareTimes(b.updatedAt, a.updatedAt));
    for (const { id } of byAge) await this.#takeTags(this.#images.get(id) as ImageRecord);
  }
}

function withNames(known: ImageRecord | undefined, content: ImageContent, names: ImageNames): ImageRecord {
  const listed = known?.state === 'listed' ? known : undefined;
  return {
    ...content,
    // Another manifest of the same image does not speak for the first.
    annotations: listed?.annotations ?? content.annotations,
    state: 'listed',
    repoTags: [...new Set([...(listed?.repoTags ?? []), ...names.tags])],
    repoDigests: [...new Set([...(listed?.repoDigests ?? []), ...names.digests])],
    updatedAt: nowNs(),
  };
}
