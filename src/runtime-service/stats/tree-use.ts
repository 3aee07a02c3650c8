import { lstatSync, opendirSync, type Dir, type Dirent } from 'node:fs';

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
 * Adds up a tree in slices: each `next` does a few milliseconds' work. Names are bytes, symbolic links are not followed,
 * what vanishes or cannot be reached on the way does not count. A file with several names counts a fraction for each,
 * so that it counts once and nobody needs to remember it.
 */
export function* measureTree(root: string): Generator<undefined, TreeUse> {
  const sum = { bytes: 0, inodes: 0 };
  const waiting: Node[] = [];
  let seen = 0;
  const add = (path: Buffer, node: Node): void => {
    const stat = lstatSync(path);
    const share = stat.isDirectory() ? 1 : 1 / Math.max(1, stat.nlink);
    sum.bytes += stat.blocks * BLOCK * share;
    sum.inodes += share;
    if (stat.isDirectory()) waiting.push(node);
  };
  const top: Node = { parent: undefined, name: Buffer.from(root) };
  ignoreGone(() => add(top.name, top));
  for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
    const parent = node;
    const path = pathOf(parent);
    for (const name of namesIn(path)) {
      ignoreGone(() => add(join(path, name), { parent, name }));
      if (++seen % SLICE === 0) yield;
    }
  }
  return { bytes: Math.round(sum.bytes), inodes: Math.round(sum.inodes) };
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
  return names.reduceRight((path, name) => join(path, name));
}

function join(path: Buffer, name: Buffer): Buffer {
  return Buffer.concat([path, Buffer.from('/'), name]);
}

const GONE = ['ENOENT', 'ENOTDIR', 'ENAMETOOLONG', 'EACCES', 'ELOOP'];

function ignoreGone<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (GONE.includes(errnoOf(error) ?? '')) return undefined;
    throw error;
  }
}
