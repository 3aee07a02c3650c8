import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';

import { dataLoss, describeError } from '../base/errors.js';
import { ensureDirectory, readJson, removeTemporaryFiles, removeTree, writeJson } from '../base/files.js';
import type { Logger } from '../base/log.js';
import { stringsOf } from './registry/json.js';

const VERSION = 1;

/** What an owner has mounted. */
export interface UseNote {
  /** Ids of images. */
  readonly images: readonly string[];
  /** Names of layers' directories. */
  readonly dirs: readonly string[];
  /** Where they are mounted. */
  readonly targets: readonly string[];
}

/**
 * Notes of which layers' directories are mounted for whom, a file an owner. They hold where the records of images and layers do not: what is damaged, or
 * pulled again, is still below a container that runs. They need no sync: no mount outlives the machine.
 */
export class UseNotes {
  readonly #directory: string;
  readonly #logger: Logger;
  /** By owner; undefined for a note that cannot be read. */
  readonly #notes = new Map<string, UseNote | undefined>();

  private constructor(directory: string, logger: Logger) {
    this.#directory = directory;
    this.#logger = logger;
  }

  static async open(directory: string, logger: Logger): Promise<UseNotes> {
    const notes = new UseNotes(directory, logger);
    await notes.#load();
    return notes;
  }

  async #load(): Promise<void> {
    await ensureDirectory(this.#directory);
    await removeTemporaryFiles(this.#directory);
    for (const file of await readdir(this.#directory)) {
      const owner = decodeURIComponent(basename(file, '.json'));
      this.#notes.set(owner, await this.#read(file));
    }
  }

  get owners(): readonly string[] {
    return [...this.#notes.keys()];
  }

  /** True if one cannot be read, so that what its owner has mounted is not known. */
  get areUnclear(): boolean {
    return [...this.#notes.values()].includes(undefined);
  }

  /** Names of the layers' directories that somebody has mounted. */
  get dirs(): ReadonlySet<string> {
    return new Set([...this.#notes.values()].flatMap((note) => note?.dirs ?? []));
  }

  /** What an owner has mounted; undefined if there is no note, or none that can be read. */
  of(owner: string): UseNote | undefined {
    return this.#notes.get(owner);
  }

  /** Adds to what an owner has mounted. */
  async add(owner: string, { images, dirs, targets }: UseNote): Promise<void> {
    const known = this.#notes.get(owner);
    const note = {
      images: [...new Set([...(known?.images ?? []), ...images])],
      dirs: [...new Set([...(known?.dirs ?? []), ...dirs])],
      targets: [...new Set([...(known?.targets ?? []), ...targets])],
    };
    this.#notes.set(owner, note);
    await writeJson(this.#path(owner), VERSION, note);
  }

  /** Forgets what an owner has mounted, as it is mounted no more. */
  async forget(owner: string): Promise<void> {
    if (!this.#notes.delete(owner)) return;
    await removeTree(this.#path(owner));
  }

  async #read(file: string): Promise<UseNote | undefined> {
    try {
      const { images, dirs, targets } = await readJson(join(this.#directory, file), VERSION);
      if (![images, dirs, targets].every(Array.isArray)) throw dataLoss(`${file} is no note of a use`);
      return { images: stringsOf(images), dirs: stringsOf(dirs), targets: stringsOf(targets) };
    } catch (error) {
      const message =
        'it is not known which layers are mounted for an owner, so none will be removed while it is there';
      this.#logger.warn({ file, error: describeError(error) }, message);
      return undefined;
    }
  }

  #path(owner: string): string {
    return join(this.#directory, `${encodeURIComponent(owner)}.json`);
  }
}
