import { lstatSync, opendirSync, type Dir, type Dirent, type Stats } from 'node:fs';

import { errnoOf } from '../../base/errors.js';

/** What a directory tree takes of its file system. */
export interface TreeUse {
  /** On disk, as `du` counts. */
  readonly bytes: number;
  readonly inodes: number;
}

/** A directory to be read. Its path is put together when it is needed: a container may nest them deep. */
interface Node {
  readonly parent: Node | undefined;
  readonly name: Buffer;
}

/** Entries looked at before others get a turn: some milliseconds. */
const SLICE = 500;
const BLOCK = 512;

/**
 * What one entry adds to its tree. A file with several names counts a fraction for each, so that it counts once and nobody
 * needs to remember it.
 */
export function addEntry(sum: TreeUse, stat: Stats): TreeUse {
  const share = stat.isDirectory() ? 1 : 1 / Math.max(1, stat.nlink);
  return { bytes: sum.bytes + stat.blocks * BLOCK * share, inodes: sum.inodes + share };
}

export function rounded({ bytes, inodes }: TreeUse): TreeUse {
  return { bytes: Math.round(bytes), inodes: Math.round(inodes) };
}

/**
 * Adds up a tree in slices: each `next` does a few milliseconds' work. Names are bytes, symbolic links are not followed,
 * what vanishes or cannot be reached on the way does not count.
 */
export function* measureTree(root: string): Generator<undefined, TreeUse> {
  let sum: TreeUse = { bytes: 0, inodes: 0 };
  let seen = 0;
  const waiting: Node[] = [];
  const add = (path: Buffer, node: Node): void => {
    const stat = lstatSync(path);
    sum = addEntry(sum, stat);
    if (stat.isDirectory()) waiting.push(node);
  };
  const top: Node = { parent: undefined, name: Buffer.from(root) };
  ignoreGone(() => add(top.name, top));
  for (let parent = waiting.pop(); parent !== undefined; parent = waiting.pop()) {
    const path = pathOf(parent);
    for (const name of namesIn(path)) {
      const node = { parent, name };
      ignoreGone(() => add(joinBytes(path, name), node));
      if (++seen % SLICE === 0) yield;
    }
  }
  return rounded(sum);
}

function* namesIn(path: Buffer): Generator<Buffer> {
  // Types of Node 20 know no buffers here; the function does.
  const dir = ignoreGone(() => opendirSync(path as unknown as string, { encoding: 'buffer' as BufferEncoding }));
  if (dir === undefined) return;
  try {
    for (let entry = readEntry(dir); entry; entry = readEntry(dir)) yield entry.name as unknown as Buffer;
  } finally {
    dir.closeSync();
  }
}

function readEntry(dir: Dir): Dirent | null | undefined {
  return ignoreGone(() => dir.readSync());
}

function pathOf(node: Node): Buffer {
  const names: Buffer[] = [];
  for (let at: Node | undefined = node; at !== undefined; at = at.parent) names.push(at.name);
  return names.reduceRight((path, name) => joinBytes(path, name));
}

/** Below a directory, by bytes: names need not be UTF-8. */
export function joinBytes(path: Buffer, name: Buffer): Buffer {
  return Buffer.concat([path, Buffer.from('/'), name]);
}

/** What happens on the way in a tree that is in use, or deeper than paths can be long. */
const GONE: readonly unknown[] = ['ENOENT', 'ENOTDIR', 'ENAMETOOLONG', 'EACCES', 'ELOOP'];

function ignoreGone<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

export function isGone(error: unknown): boolean {
  return GONE.includes(errnoOf(error));
}
