import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';

import { sleep } from '../base/abort.js';
import { errnoOf } from '../base/errors.js';
import { bytesWaiting } from '../base/sys/descriptor.js';

export interface Size {
  readonly width: number;
  readonly height: number;
}

/** conmon takes none that is larger. */
const MAX_SIZE = 1_000;
const LOOK_AGAIN_MS = 5;
const LOOKS = 200;

/**
 * Sets the size of terminals that conmon holds. One message at a time: of two that arrive together conmon reads the first
 * twice and the second never. So of sizes that come meanwhile only the last is told.
 */
export class MonitorTerminal {
  readonly #fifo: string;
  #next: Size | undefined;
  #telling: Promise<void> | undefined;

  constructor(bundle: string) {
    // What conmon reads itself where it is told a size by its `ctl`.
    this.#fifo = join(bundle, 'winsz');
  }

  /** Settles when conmon has read this size or a later one; without a conmon there is nothing to set. */
  resize(size: Size): Promise<void> {
    this.#next = size;
    this.#telling ??= this.#tell().finally(() => (this.#telling = undefined));
    return this.#telling;
  }

  async #tell(): Promise<void> {
    const fifo = await this.#open();
    if (fifo === undefined) return;
    try {
      for (let size = this.#next; size !== undefined; size = this.#next) {
        this.#next = undefined;
        await fifo.write(`${bound(size.height)} ${bound(size.width)}\n`);
        for (let look = 0; look < LOOKS && bytesWaiting(fifo.fd) > 0; look++) await sleep(LOOK_AGAIN_MS);
      }
    } finally {
      await fifo.close();
    }
  }

  /** Without waiting: the fifo of a dead conmon has no reader. */
  async #open(): Promise<FileHandle | undefined> {
    try {
      return await open(this.#fifo, constants.O_WRONLY | constants.O_NONBLOCK);
    } catch (error) {
      if (errnoOf(error) === 'ENXIO' || errnoOf(error) === 'ENOENT') return undefined;
      throw error;
    }
  }
}

function bound(length: number): number {
  return Math.max(1, Math.min(length, MAX_SIZE));
}
