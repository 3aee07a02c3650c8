import { lstatSync, mkdirSync, rmSync, unlinkSync, type Stats } from 'node:fs';

import { dataLoss, errnoOf } from '../../base/errors.js';
import { readXattrSync } from '../../base/sys/xattr.js';
import {
  applyAttributes,
  DEFAULT_DIRECTORY,
  markOpaque,
  OPAQUE,
  readAttributes,
  type Attributes,
} from './attributes.js';
import { toPath } from './paths.js';

/** A directory of the layer that is being unpacked. Who holds a node knows that every part of its path is one. */
export interface DirectoryNode {
  readonly path: string;
  readonly children: Map<string, DirectoryNode>;
  /** Absent while no entry describes the directory: the layers below do. */
  attributes?: Attributes;
  /** Hides what the layers below have in it. */
  opaque: boolean;
  /** Is another directory than that of the layers below, and takes nothing from it. */
  fresh: boolean;
}

/** What was in the way of a new file. */
export type Displaced = 'nothing' | 'something';

/**
 * The directories of one layer. A path is only ever built from nodes, which this class made itself in a directory
 * that nobody else writes to: no symbolic link can be among a file's parents. Attributes of directories are applied
 * at the end, so that their times stay and their setgid bits and ACLs do not touch what is put in them.
 */
export class LayerTree {
  readonly root: DirectoryNode;
  directories = 1;
  /** Something was removed again, so what was made does not tell what is there. */
  hasRemoved = false;

  /** @param path a new, empty directory, as a binary string. */
  constructor(path: string) {
    this.root = newNode(path);
  }

  /** The node of a directory that must already be there, or undefined. */
  find(parts: readonly string[]): DirectoryNode | undefined {
    let node: DirectoryNode | undefined = this.root;
    for (const part of parts) node = node?.children.get(part);
    return node;
  }

  /** The node of a directory, made if need be with its parents. @throws data-loss if something else is in the way. */
  ensure(parts: readonly string[]): DirectoryNode {
    let node = this.root;
    for (const part of parts) node = node.children.get(part) ?? this.#implied(node, part);
    return node;
  }

  /** A directory that an entry describes: what it displaces is hidden in the layers below too. */
  directory(parent: DirectoryNode, name: string): DirectoryNode {
    const known = parent.children.get(name);
    if (known !== undefined) return known;
    const displaced = this.displace(parent, name);
    return this.#make(parent, name, displaced === 'something');
  }

  /** Hides the directory of that name in the layers below, itself and all that is in it. */
  replace(node: DirectoryNode): void {
    node.opaque = true;
    node.fresh = true;
  }

  /** Removes whatever is at a name, so that something else can be put there. */
  displace(parent: DirectoryNode, name: string): Displaced {
    const path = `${parent.path}/${name}`;
    const displaced = this.#removeAt(path, parent, name);
    this.hasRemoved ||= displaced === 'something';
    return displaced;
  }

  #removeAt(path: string, parent: DirectoryNode, name: string): Displaced {
    if (parent.children.delete(name)) {
      rmSync(toPath(path), { recursive: true });
      return 'something';
    }
    return unlinkIfThere(path) ? 'something' : 'nothing';
  }

  /** Gives every directory its attributes, deepest first. `lowers`: the layers below, top first, all unpacked. */
  finish(lowers: readonly string[]): void {
    finishNode(
      this.root,
      lazy(() => [...lowers]),
    );
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
    const node = newNode(`${parent.path}/${name}`, fresh);
    mkdirSync(toPath(node.path), 0o700);
    parent.children.set(name, node);
    this.directories++;
    return node;
  }
}

/** overlayfs shows a character device 0/0 as an absent file (kernel, filesystems/overlayfs). */
export function isWhiteout(stats: Stats): boolean {
  return stats.isCharacterDevice() && stats.rdev === 0;
}

function newNode(path: string, fresh = false): DirectoryNode {
  return { path, children: new Map(), opaque: fresh, fresh };
}

function finishNode(node: DirectoryNode, lowers: () => string[]): void {
  const below = node.opaque ? (): string[] => [] : lowers;
  for (const [name, child] of node.children)
    finishNode(
      child,
      lazy(() => mergedBelow(below(), name)),
    );
  applyAttributes(node.path, node.attributes ?? inherited(node.fresh ? [] : lowers()));
  if (node.opaque) markOpaque(node.path);
}

function inherited(lowers: readonly string[]): Attributes {
  const top = lowers[0];
  return top === undefined ? DEFAULT_DIRECTORY : readAttributes(top);
}

/** The directories called `name` that show through in the merged view of `lowers`, top first. */
export function mergedBelow(lowers: readonly string[], name: string): string[] {
  const found: string[] = [];
  for (const lower of lowers) {
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
