import { Semaphore } from '../../base/semaphore.js';
import { measureSmallTree } from './small-tree.js';
import { TreeThread } from './tree-thread.js';
import type { TreeUse } from './tree-use.js';

/** A few hundredths of a second's work. */
const SMALL = 1_000;
/** Small trees measured at once: a list asks for all of them. */
const AT_ONCE = 4;

/**
 * Measures directory trees. Most writable layers are small, and a thread takes more memory than all their counting
 * together; it is there for the large ones alone, which would hold up the process.
 */
export class TreeMeasurer {
  readonly #small: number;
  readonly #turns = new Semaphore(AT_ONCE);
  readonly #thread = new TreeThread();

  constructor(small = SMALL) {
    this.#small = small;
  }

  /** @throws what the file system says of a path that cannot be one; internal if the tree is too large for the thread. */
  async measure(path: string): Promise<TreeUse> {
    const small = await this.#turns.run(() => measureSmallTree(path, this.#small));
    return small ?? this.#thread.measure(path);
  }

  close(): Promise<void> {
    return this.#thread.close();
  }
}
