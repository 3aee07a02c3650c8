import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

import { dataLoss } from '../../base/errors.js';
import { ensureDirectory, readJson, removeTree, writeJson } from '../../base/files.js';
import { bootId } from '../../base/sys/process.js';
import type { LayerRecord } from '../types.js';
import { parseLayerRecord } from './layer-record.js';

const VERSION = 1;

/**
 * Notes of layers that are unpacked but not yet synced, a file each. They hold until the machine goes down: what a process
 * has written outlives it, but not a power cut. So they cost no sync, and none of them is a record.
 */
export class UnsyncedLayers {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** The notes of this boot; all others are removed, with what cannot be read. */
  async load(): Promise<LayerRecord[]> {
    await ensureDirectory(this.#directory);
    const found: LayerRecord[] = [];
    for (const file of await readdir(this.#directory)) {
      const record = await this.#read(file).catch(() => undefined);
      if (record === undefined) await removeTree(join(this.#directory, file));
      else found.push(record);
    }
    return found;
  }

  async note(record: LayerRecord): Promise<void> {
    await writeJson(this.#path(record), VERSION, { ...record, boot: bootId() });
  }

  async forget(record: LayerRecord): Promise<void> {
    await removeTree(this.#path(record));
  }

  async #read(file: string): Promise<LayerRecord> {
    const { boot, ...value } = await readJson(join(this.#directory, file), VERSION);
    const record = parseLayerRecord(value);
    if (boot !== bootId() || file !== `${record.dir}.json`) throw dataLoss(`${file} is no note of this boot`);
    return record;
  }

  #path({ dir }: LayerRecord): string {
    return join(this.#directory, `${dir}.json`);
  }
}
