import { wrapError } from '../../base/errors.js';
import { syncDirectory } from '../../base/files.js';
import { syncFileSystem } from '../../base/sys/sys.js';

/**
 * So many bytes of finished layers are synced while others are unpacked, which leaves a processor waiting at the end. Each sync holds
 * up whoever makes files on the same file system, so there are few.
 */
const AHEAD_BYTES = 192 << 20;

/** Makes layers last, which lie in one directory. */
export class LayerSync {
  readonly #directory: string;
  readonly #syncAll: (path: string) => Promise<void>;
  /** Finished since the last sync began. */
  #bytes = 0;
  /** A sync before its time, if one is under way. */
  #ahead: Promise<void> | undefined;
  /** Of one that failed. */
  #failure: { readonly error: unknown } | undefined;

  constructor(directory: string, syncAll: (path: string) => Promise<void> = syncFileSystem) {
    this.#directory = directory;
    this.#syncAll = syncAll;
  }

  /** Says that a layer of so many bytes is in the directory. */
  finished(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes < AHEAD_BYTES || this.#ahead !== undefined) return;
    this.#bytes = 0;
    this.#ahead = this.#syncAll(this.#directory)
      .catch((error: unknown) => (this.#failure = { error }))
      .then(() => (this.#ahead = undefined));
  }

  /** Makes all layers last that are finished by now. @throws what the disk says, also to a sync before that nobody asked for */
  async sync(): Promise<void> {
    await this.settle();
    this.#bytes = 0;
    await syncDirectory(this.#directory);
    await this.#syncAll(this.#directory);
    const failure = this.#failure;
    this.#failure = undefined;
    // The kernel tells of lost writes only once.
    if (failure !== undefined) throw wrapError(failure.error, 'layers were lost on their way to the disk');
  }

  /** Waits for what goes on. */
  async settle(): Promise<void> {
    await this.#ahead;
  }
}
