import { rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

import { hasCode } from '../base/errors.js';
import { readIfExists, readText, removeTree, syncDirectory } from '../base/files.js';

const BOOT_ID = '/proc/sys/kernel/random/boot_id';

/** A file that is there while the store is open. One of an earlier boot says that the machine went down in the middle of a run. */
export class RunMark {
  readonly #path: string;
  #isSet = false;

  constructor(path: string) {
    this.#path = path;
  }

  /** @returns true if the machine went down while the store was open */
  async set(): Promise<boolean> {
    const boot = await readText(BOOT_ID);
    const before = await this.#read();
    await writeFile(this.#path, boot, { flush: true, mode: 0o600 });
    await syncDirectory(dirname(this.#path));
    this.#isSet = true;
    return before !== undefined && before !== boot;
  }

  /** What is no file there says as much as another boot's, and must not be in the way. */
  async #read(): Promise<string | undefined> {
    try {
      return await readIfExists(this.#path);
    } catch (error) {
      if (!hasCode(error, 'data-loss')) throw error;
      await removeTree(this.#path);
      return '';
    }
  }

  async clear(): Promise<void> {
    if (!this.#isSet) return;
    this.#isSet = false;
    await rm(this.#path, { force: true });
  }
}
