import { lstatSync, mkdirSync, opendirSync, unlinkSync, type Stats } from 'node:fs';

import { dataLoss, errnoOf, resourceExhausted } from '../../base/errors.js';
import { removeTreeSync } from '../../base/sys/remove-tree.js';
import { readXattrSync } from '../../base/sys/xattr.js';
import {
  applyAttributes,
  applyEarlyXattrs,
  clearXattrs,
  DEFAULT_DIRECTORY,
  lateXattrs,
  markOpaque,
  OPAQUE,
  readAttributes,
  type Attributes,
} from './attributes.js';
import { DirectoryNode } from './directory-node.js';
import { readNote, removeNote, writeNote } from './directory-note.js';
import { toPath } from './paths.js';

/** What was in the way of a new file. */
export type Displaced = 'nothing' | 'something';

export interface LayerTreeOptions {
  /** Directories in memory, of some hundred bytes each; more are noted on the disk. */
  readonly maxNodes?: number;
  /** Questions after files of the layers below. */
  readonly maxLookups?: number;
}

const MAX_NODES = 30_000;
/** An image of 100 layers may leave 100,000 directories to those below. */
const MAX_LOOKUPS = 10_000_000;
/** Bytes of late attributes that weigh as much as a node. */
const NODE_BYTES = 256;

/**
 * The directories of one layer. A path is only ever built from nodes, which this class made itself in a directory
 * that nobody else writes to: no symbolic link can be among a file's parents. Attributes of directories are applied
 * at the end, so that their times stay and their setgid bits and ACLs do not touch what is put in them.
 */
export class LayerTree {
  readonly root: DirectoryNode;
  readonly lookups: Lookups;
  directories = 1;
  maxDirectories = Infinity;
  /** Something was removed again, so what was made does not tell what is there. */
  hasRemoved = false;
  readonly #rootPath: string;
  #maxNodes: number;
  #nodes = 0;
  /** What is not in memory may be on the disk. */
  #hasNotes = false;

  /** @param path a new, empty directory, as a binary string. */
  constructor(path: string, { maxNodes = MAX_NODES, maxLookups = MAX_LOOKUPS }: LayerTreeOptions = {}) {
    this.#rootPath = path;
    this.root = new DirectoryNode(undefined, path);
    this.#maxNodes = maxNodes;
    this.lookups = new Lookups(maxLookups);
  }

  /** Keeps memory within bounds. To be called when nobody holds a node but the root. */
  trim(): void {
    if (this.#nodes <= this.#maxNodes) return;
    if (!noteBelow(this.root, this.#rootPath)) {
      this.#maxNodes = Infinity;
      return;
    }
    this.root.children = undefined;
    this.#nodes = 0;
    this.#hasNotes = true;
  }

  /** The directory of that name, if it is one of this layer. */
  child(parent: DirectoryNode, name: string): DirectoryNode | undefined {
    const known = parent.children?.get(name);
    if (known !== undefined || !this.#hasNotes) return known;
    const path = `${parent.path}/${name}`;
    return lstatIfThere(path)?.isDirectory() === true ? this.#load(parent, name, path) : undefined;
  }

  /** The node of a directory that must already be there, or undefined. */
  find(parts: readonly string[]): DirectoryNode | undefined {
    let node: DirectoryNode | undefined = this.root;
    for (const part of parts) if (node !== undefined) node = this.child(node, part);
    return node;
  }

  /** The node of a directory, made if need be with its parents. @throws data-loss if something else is in the way. */
  ensure(parts: readonly string[]): DirectoryNode {
    let node = this.root;
    for (const part of parts) node = this.child(node, part) ?? this.#implied(node, part);
    return node;
  }

  /** True if this layer hides what those below have in a directory. */
  hides(parts: readonly string[]): boolean {
    let node: DirectoryNode | undefined = this.root;
    for (const part of parts) {
      if (node === undefined || node.opaque) break;
      node = this.child(node, part);
    }
    return node?.opaque ?? false;
  }

  /** A directory that an entry describes: what it displaces is hidden in the layers below too. */
  directory(parent: DirectoryNode, name: string): DirectoryNode {
    const known = this.child(parent, name);
    if (known !== undefined) return known;
    const displaced = this.displace(parent, name);
    return this.#make(parent, name, displaced === 'something');
  }

  /** Says what an entry says of a directory, in place of what an earlier one said. */
  describe(node: DirectoryNode, { mode, uid, gid, mtimeNs, xattrs }: Attributes): void {
    if (node.attributes !== undefined) clearXattrs(node.path);
    if (xattrs.size > 0) applyEarlyXattrs(node.path, xattrs);
    const late = lateXattrs(xattrs);
    for (const value of late.values()) this.#nodes += value.length / NODE_BYTES;
    node.attributes = { mode, uid, gid, mtimeNs, xattrs: late };
  }

  /** Hides the directory of that name in the layers below, itself and all that is in it. */
  replace(node: DirectoryNode): void {
    node.opaque = true;
    node.fresh = true;
  }

  /** Removes whatever is at a name, so that something else can be put there. */
  displace(parent: DirectoryNode, name: string): Displaced {
    const displaced = this.#removeAt(`${parent.path}/${name}`, parent, name);
    this.hasRemoved ||= displaced === 'something';
    return displaced;
  }

  #removeAt(path: string, parent: DirectoryNode, name: string): Displaced {
    if (this.child(parent, name) === undefined) return unlinkIfThere(path) ? 'something' : 'nothing';
    parent.children?.delete(name);
    removeTreeSync(toPath(path));
    return 'something';
  }

  /** Gives every directory its attributes, deepest first. `lowers`: the layers below, top first, all unpacked. */
  finish(lowers: readonly string[]): void {
    this.#finishNode(
      { node: this.root, path: this.#rootPath },
      lazy(() => [...lowers]),
    );
  }

  #finishNode({ node, path }: Located, lowers: () => string[]): void {
    const below = node.opaque ? (): string[] => [] : lowers;
    for (const [name, child] of this.#childrenOf(node, path))
      this.#finishNode(
        { node: child, path: `${path}/${name}` },
        lazy(() => mergedBelow(below(), name, this.lookups)),
      );
    node.children = undefined;
    if (node.noted) removeNote(path);
    applyAttributes(path, node.attributes ?? inherited(node.fresh ? [] : lowers()));
    if (node.opaque) markOpaque(path);
  }

  *#childrenOf(node: DirectoryNode, path: string): Generator<readonly [string, DirectoryNode]> {
    if (!this.#hasNotes) {
      yield* node.children ?? [];
      return;
    }
    const directory = opendirSync(toPath(path), { encoding: 'latin1' });
    try {
      for (let entry = directory.readSync(); entry !== null; entry = directory.readSync()) {
        if (!entry.isDirectory()) continue;
        const { name } = entry;
        yield [name, node.children?.get(name) ?? this.#load(node, name, `${path}/${name}`)];
        node.children?.delete(name);
      }
    } finally {
      directory.closeSync();
    }
  }

  #implied(parent: DirectoryNode, name: string): DirectoryNode {
    const path = `${parent.path}/${name}`;
    const found = lstatIfThere(path);
    if (found === undefined) return this.#make(parent, name, false);
    if (!isWhiteout(found)) throw dataLoss(`its parent ${JSON.stringify(name)} is not a directory`);
    unlinkSync(toPath(path));
    this.hasRemoved = true;
    return this.#make(parent, name, true);
  }

  #make(parent: DirectoryNode, name: string, fresh: boolean): DirectoryNode {
    if (this.directories >= this.maxDirectories)
      throw resourceExhausted(`the layer has more than ${this.maxDirectories} directories`);
    mkdirSync(toPath(`${parent.path}/${name}`), 0o700);
    this.directories++;
    this.#nodes++;
    const own = copyOf(name);
    return parent.add(own, new DirectoryNode(parent, own, fresh));
  }

  #load(parent: DirectoryNode, name: string, path: string): DirectoryNode {
    const own = copyOf(name);
    const node = new DirectoryNode(parent, own);
    readNote(path, node);
    this.#nodes++;
    return parent.add(own, node);
  }
}

/** A part of a text keeps the whole one in memory. */
function copyOf(name: string): string {
  return Buffer.from(name, 'latin1').toString('latin1');
}

interface Located {
  readonly node: DirectoryNode;
  readonly path: string;
}

/** Bounds how often the layers below are asked: of hundreds, for each of a million directories, it would take hours. */
export class Lookups {
  #left: number;

  constructor(max: number) {
    this.#left = max;
  }

  /** @throws resource-exhausted */
  one(): void {
    if (--this.#left < 0) throw resourceExhausted('the layer leaves too much to those below it');
  }
}

/** overlayfs shows a character device 0/0 as an absent file (kernel, filesystems/overlayfs). */
export function isWhiteout(stats: Stats): boolean {
  return stats.isCharacterDevice() && stats.rdev === 0;
}

/** @returns false where the file system takes no notes */
function noteBelow(node: DirectoryNode, path: string): boolean {
  for (const [name, child] of node.children ?? []) {
    const below = `${path}/${name}`;
    if (!noteBelow(child, below) || !writeNote(below, child)) return false;
  }
  return true;
}

function inherited(lowers: readonly string[]): Attributes {
  const top = lowers[0];
  return top === undefined ? DEFAULT_DIRECTORY : readAttributes(top);
}

/** The directories called `name` that show through in the merged view of `lowers`, top first. @throws resource-exhausted */
export function mergedBelow(lowers: readonly string[], name: string, lookups: Lookups): string[] {
  const found: string[] = [];
  for (const lower of lowers) {
    lookups.one();
    const path = `${lower}/${name}`;
    const stats = lstatIfThere(path);
    if (stats === undefined) continue;
    if (!stats.isDirectory()) break;
    found.push(path);
    if (readXattrSync(toPath(path), OPAQUE)?.toString() === 'y') break;
  }
  return found;
}

function lazy<T>(make: () => T): () => T {
  let made: { value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}

/** What is at a path, a binary string; undefined if nothing is, or a part of the path is no directory. */
export function lstatIfThere(path: string): Stats | undefined {
  try {
    return lstatSync(toPath(path), { throwIfNoEntry: false });
  } catch (error) {
    if (errnoOf(error) === 'ENOTDIR') return undefined;
    throw error;
  }
}

function unlinkIfThere(path: string): boolean {
  try {
    unlinkSync(toPath(path));
    return true;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false;
    throw error;
  }
}
