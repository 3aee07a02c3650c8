import { describeError } from '../base/errors.js';
import type { Logger } from '../base/log.js';
import type { ImageStore } from './image-store.js';
import type { ImageUses } from './image-uses.js';
import { leavesLayers } from './install-image.js';
import type { LayerStore } from './layers/layer-store.js';
import type { PartialBlobs } from './registry/partial-blobs.js';

interface Parts {
  readonly images: ImageStore;
  readonly layers: LayerStore;
  readonly partials: PartialBlobs;
  readonly uses: ImageUses;
  readonly logger: Logger;
}

/** What waits for another pull expires; it is looked for so often. */
const EXPIRY_MS = 600_000;

/** Removes what is left of images, and of pulls, that nobody uses. */
export class Collection {
  readonly #parts: Parts;
  #expiry: NodeJS.Timeout | undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /**
   * Removes what nobody uses; nothing while it is not known of all users what they use.
   * @param options.all what waits for another pull, too
   */
  async run(options?: { readonly all?: boolean }): Promise<void> {
    const { images, layers, uses } = this.#parts;
    if (!uses.areKnown) return;
    uses.discardStrays();
    await images.forgetRemoved((image) => uses.has(image));
    await layers.collect(() => new Set(images.all().flatMap(({ chain }) => chain)), options);
  }

  /** Looks from now on for what has waited too long for another pull. */
  start(): void {
    this.#expiry ??= setInterval(() => void this.#expire(), EXPIRY_MS).unref();
  }

  stop(): void {
    clearInterval(this.#expiry);
  }

  /** Where the disk is full nothing waits on it for another pull: neither what this one has finished nor what others left. */
  async makeRoom(failure: unknown): Promise<void> {
    if (leavesLayers(failure)) return;
    await this.#tryTo(() => this.run({ all: true }));
    await this.#tryTo(() => this.#parts.partials.clear());
  }

  async #expire(): Promise<void> {
    if (this.#parts.layers.hasExpired) await this.#tryTo(() => this.run());
  }

  async #tryTo(remove: () => Promise<void>): Promise<void> {
    const { logger } = this.#parts;
    await remove().catch((error: unknown) =>
      logger.warn({ error: describeError(error) }, 'cannot remove what pulls have left'),
    );
  }
}
