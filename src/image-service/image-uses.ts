import type { LayerStore } from './layers/layer-store.js';
import type { ImageRecord } from './types.js';

/**
 * Who uses which image. Its layers are kept for its users; the image itself is in use by them alone, not by those of another
 * image that has all of its layers, too, as one that was built on it.
 */
export class ImageUses {
  readonly #layers: LayerStore;
  readonly #images = new Map<string, Set<string>>();

  constructor(layers: LayerStore) {
    this.#layers = layers;
  }

  /** Adds images to those that an owner uses. */
  add(owner: string, ...images: readonly ImageRecord[]): void {
    const used = this.#images.get(owner) ?? new Set();
    for (const { id, chain } of images) {
      used.add(id);
      this.#layers.retain(owner, chain);
    }
    this.#images.set(owner, used);
  }

  /** Lets go of all that an owner uses. */
  release(owner: string): void {
    this.#images.delete(owner);
    this.#layers.release(owner);
  }

  has({ id }: Pick<ImageRecord, 'id'>): boolean {
    return [...this.#images.values()].some((used) => used.has(id));
  }
}
