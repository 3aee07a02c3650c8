import type { ImageStore } from './image-store.js';
import type { DamagedLayer } from './layers/check-layers.js';
import type { LayerStore } from './layers/layer-store.js';
import type { ImageRecord } from './types.js';

export interface DamagedImage {
  readonly image: ImageRecord;
  readonly layers: readonly DamagedLayer[];
  /** A container has one of these layers. */
  readonly inUse: boolean;
  readonly removed: boolean;
}

export interface CheckedImages {
  /** How many layers were counted. */
  readonly layers: number;
  /** How many of them are damaged, be they an image's or not. */
  readonly damaged: number;
  readonly images: readonly DamagedImage[];
}

export interface CheckOptions {
  readonly images: ImageStore;
  readonly layers: LayerStore;
  readonly signal: AbortSignal;
  /** Unlists what is damaged and not in use, so that the next pull fetches it. */
  readonly repair: boolean;
}

/** Finds the images of which a file system has lost something since they were unpacked. */
export async function checkImages({ images, layers, signal, repair }: CheckOptions): Promise<CheckedImages> {
  const { count, damaged } = await layers.check(signal);
  const found: DamagedImage[] = [];
  for (const image of images.all()) {
    const own = damaged.filter(({ chainId }) => image.chain.includes(chainId));
    if (own.length === 0) continue;
    const inUse = own.some(({ chainId }) => layers.isUsed([chainId]));
    const removed = repair && !inUse;
    if (removed) await images.unlist(image.id);
    found.push({ image, layers: own, inUse, removed });
  }
  return { layers: count, damaged: damaged.length, images: found };
}
