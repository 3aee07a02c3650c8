import { notFound } from '../base/errors.js';
import type { MountEntry } from '../base/mount-table.js';
import type { LayerStore } from './layers/layer-store.js';
import type { ImageStore } from './image-store.js';
import type { ImageRecord } from './types.js';
import type { UseNotes } from './use-notes.js';

/** Stands for the owners of an earlier run, until they are known. */
const EARLIER_OWNERS = 'earlier owners';

interface Parts {
  readonly layers: LayerStore;
  readonly images: ImageStore;
  readonly notes: UseNotes;
}

/**
 * Who uses which image. Its layers are kept for its users; the image itself is in use by them alone, not by those of another
 * image that has all of its layers, too, as one that was built on it.
 *
 * At start nothing may go before all users are known ({@link settle}), and after that nothing while there is one of whom neither records nor notes tell
 * what it uses.
 */
export class ImageUses {
  readonly #parts: Parts;
  readonly #images = new Map<string, Set<string>>();
  /** Owners that use an image which is unknown. */
  readonly #unclear = new Set<string>();
  readonly #adopted = new Set<string>();
  #isSettled = false;

  constructor(parts: Parts) {
    this.#parts = parts;
    const { layers, images, notes } = parts;
    layers.retain(EARLIER_OWNERS, layers.all());
    this.add(EARLIER_OWNERS, ...images.all());
    for (const owner of notes.owners) this.#addNoted(owner);
  }

  /** Adds images to those that an owner uses. */
  add(owner: string, ...images: readonly ImageRecord[]): void {
    const used = this.#images.get(owner) ?? new Set();
    for (const { id, chain } of images) {
      used.add(id);
      this.#parts.layers.retain(owner, chain);
    }
    this.#images.set(owner, used);
  }

  /** Keeps an image for who mounts it, over a restart too. @returns its layers' directories, top first @throws not-found */
  async begin(owner: string, imageId: string, target: string): Promise<string[]> {
    const { images, layers, notes } = this.#parts;
    const image = images.get(imageId);
    if (image === undefined) throw notFound(`image ${imageId} is not here`);
    this.add(owner, image);
    const dirs = image.chain.map((chainId) => layers.record(chainId).dir);
    await notes.add(owner, { images: [imageId], dirs, targets: [target] });
    return image.chain.map((chainId) => layers.directoryOf(chainId)).reverse();
  }

  /** Says that an owner of an earlier run uses an image. @returns false if it is not known what that is */
  adopt(owner: string, imageId: string): boolean {
    const { images, notes } = this.#parts;
    this.#adopted.add(owner);
    const image = images.get(imageId);
    if (image !== undefined) this.add(owner, image);
    else if (notes.of(owner)?.images.includes(imageId) !== true) this.#unclear.add(owner);
    return image !== undefined;
  }

  /** The same where the owner's record does not say what. @returns false if nothing else does */
  adoptUnknown(owner: string): boolean {
    this.#adopted.add(owner);
    const isNoted = this.#parts.notes.of(owner) !== undefined;
    if (!isNoted) this.#unclear.add(owner);
    return isNoted;
  }

  /** Lets go of all that an owner uses. */
  async release(owner: string): Promise<void> {
    this.#drop(owner);
    await this.#parts.notes.forget(owner);
  }

  has({ id }: Pick<ImageRecord, 'id'>): boolean {
    return [...this.#images.values()].some((used) => used.has(id));
  }

  /**
   * Ends the time in which nothing may go. Of the owners of an earlier run those stay that were adopted, that are among `owners`, or that have
   * something mounted.
   */
  async settle(owners: ReadonlySet<string>, mounts: readonly MountEntry[]): Promise<void> {
    const { notes } = this.#parts;
    const mountPoints = new Set(mounts.map(({ mountPoint }) => mountPoint));
    const isMounted = (owner: string): boolean =>
      notes.of(owner)?.targets.some((each) => mountPoints.has(each)) ?? false;
    for (const owner of notes.owners)
      if (!owners.has(owner) && !this.#adopted.has(owner) && !isMounted(owner)) await this.release(owner);
    this.#drop(EARLIER_OWNERS);
    this.#isSettled = true;
  }

  /** See {@link settle}. */
  get isSettled(): boolean {
    return this.#isSettled;
  }

  /** True if it is known of all users what they use; until they are known themselves, all is kept that was there. */
  get areKnown(): boolean {
    return this.#unclear.size === 0 && !this.#parts.notes.areUnclear;
  }

  /** Deletes the directories that no record tells of and nobody uses, once all users are known. */
  discardStrays(): void {
    if (this.#isSettled && this.areKnown) this.#parts.layers.discardStrays(this.#parts.notes.dirs);
  }

  #drop(owner: string): void {
    this.#images.delete(owner);
    this.#unclear.delete(owner);
    this.#parts.layers.release(owner);
  }

  #addNoted(owner: string): void {
    const { layers, images, notes } = this.#parts;
    const note = notes.of(owner);
    if (note === undefined) return;
    layers.retain(owner, layers.chainsIn(new Set(note.dirs)));
    this.add(owner, ...note.images.flatMap((id) => images.get(id) ?? []));
  }
}
