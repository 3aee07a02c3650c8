import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect } from '@jest/globals';

import { countTree } from './count-tree.js';
import type { LayerTreeOptions } from './layer-tree.js';
import { TarReader } from './tar-reader.js';
import { Untar } from './untar.js';

export interface UnpackOptions {
  readonly lowers?: readonly string[];
  /** Bytes that are pushed at a time. */
  readonly step?: number;
  readonly maxEntries?: number;
  readonly maxBytes?: number;
  readonly tree?: LayerTreeOptions;
}

/** A scratch directory to unpack archives in. */
export class UnpackScratch {
  readonly root = mkdtempSync(join(tmpdir(), 'gantry-untar-'));
  #count = 0;

  /** Unpacks into a new directory and returns it. */
  unpack(archive: Buffer, options: UnpackOptions = {}): string {
    const { lowers = [], step = archive.length, maxEntries = 1000, maxBytes = 2 ** 40, tree } = options;
    const root = join(this.root, `layer-${this.#count++}`);
    mkdirSync(root);
    const untar = new Untar(root, tree);
    const reader = new TarReader(untar, { maxEntries, maxBytes });
    try {
      for (let at = 0; at < archive.length; at += step) reader.push(archive.subarray(at, at + step));
      reader.end();
      const { inodes, whole } = untar.finish(lowers);
      // What was counted on the way is how a layer is known to be whole later.
      expect({ inodes, ...whole }).toEqual(countTree(root));
    } finally {
      untar.abandon();
    }
    return root;
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}
