import { readdir, rename } from 'node:fs/promises';
import { basename, join } from 'node:path';

import { dataLoss, describeError } from '../base/errors.js';
import {
  ensureDirectory,
  readJson,
  removeTemporaryFiles,
  removeTree,
  syncDirectory,
  writeJson,
} from '../base/files.js';
import type { Logger } from '../base/log.js';

const VERSION = 1;

export interface RecordFilesOptions<T> {
  readonly directory: string;
  readonly quarantine: string;
  /** Checks and converts what a file holds. @throws data-loss */
  readonly parse: (value: Record<string, unknown>) => T;
  readonly logger: Logger;
}

/** A directory of records, one JSON file each, that survive power cuts. A file that cannot be read is moved aside. */
export class RecordFiles<T extends object> {
  readonly #options: RecordFilesOptions<T>;

  constructor(options: RecordFilesOptions<T>) {
    this.#options = options;
  }

  /** All readable records by their names; the others end up in quarantine. */
  async load(): Promise<Map<string, T>> {
    const { directory } = this.#options;
    await ensureDirectory(directory);
    await removeTemporaryFiles(directory);
    const found = new Map<string, T>();
    for (const file of await readdir(directory)) {
      const record = await this.#loadOne(file);
      if (record !== undefined) found.set(basename(file, '.json'), record);
    }
    return found;
  }

  async write(name: string, record: T): Promise<void> {
    await writeJson(this.#path(name), VERSION, record, { fsync: true });
  }

  async remove(name: string): Promise<void> {
    await removeTree(this.#path(name));
    await syncDirectory(this.#options.directory);
  }

  /** Moves a record that makes no sense out of the way, for people to look at. */
  setAside(name: string, why: unknown): Promise<void> {
    return this.#setFileAside(`${name}.json`, why);
  }

  async #setFileAside(file: string, why: unknown): Promise<void> {
    const { directory, quarantine, logger } = this.#options;
    const path = join(directory, file);
    const kept = join(quarantine, `${basename(directory)}-${file}.${Date.now()}`);
    await ensureDirectory(quarantine);
    await rename(path, kept);
    logger.warn({ path, kept, error: describeError(why) }, 'unreadable record moved aside');
  }

  async #loadOne(file: string): Promise<T | undefined> {
    const { directory, parse } = this.#options;
    try {
      if (!file.endsWith('.json')) throw dataLoss(`${file} is no record`);
      return parse(await readJson(join(directory, file), VERSION));
    } catch (error) {
      await this.#setFileAside(file, error);
      return undefined;
    }
  }

  #path(name: string): string {
    return join(this.#options.directory, `${name}.json`);
  }
}
