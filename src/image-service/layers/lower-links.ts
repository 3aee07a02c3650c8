import {
  closeSync,
  constants,
  copyFileSync,
  fstatSync,
  linkSync,
  openSync,
  readlinkSync,
  symlinkSync,
  unlinkSync,
  type Stats,
} from 'node:fs';

import { dataLoss, resourceExhausted } from '../../base/errors.js';
import { mknodSync } from '../../base/sys/calls.js';
import { deviceOf } from '../../base/sys/device.js';
import { applyAttributes, applyLinkAttributes, readAttributes } from './attributes.js';
import type { DirectoryNode } from './directory-node.js';
import { isWhiteout, lstatIfThere, mergedBelow, type LayerTree, type Lookups } from './layer-tree.js';
import { toPath } from './paths.js';
import { entryError } from './tar-reader.js';

/** A file that only layers below have, and to which this layer links. */
interface LowerFile {
  /** Where it is in every layer. */
  readonly directory: readonly string[];
  readonly name: string;
  /** Holds the inode of the file that stands for it, so that no other gets its number. */
  readonly fd: number;
  readonly inode: number;
  /** Paths in this layer at which that file was put, its own first. */
  readonly paths: string[];
  readonly entryName: string;
  readonly linkName: string;
}

/** Each holds a file descriptor until the layer is finished; archives that tools write have none at all. */
const MAX_FILES = 1_000;
/** Bytes of the paths of such links, which are kept until then, too. */
const MAX_PATHS = 4 << 20;
const PLACEHOLDER = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

/**
 * Hard links to files that this layer does not have. Overlayfs would copy such a file up and link to the copy, so that is what
 * the layer gets: an empty file stands for the lower one at its own path, is linked to like any other, and becomes a copy when
 * the layers below are there.
 */
export class LowerLinks {
  readonly #tree: LayerTree;
  readonly #files: LowerFile[] = [];
  readonly #byPath = new Map<string, LowerFile>();
  #pathBytes = 0;

  constructor(tree: LayerTree) {
    this.#tree = tree;
  }

  /**
   * Puts a file at a place of this layer that is still empty, to be filled from below.
   * @throws data-loss where this layer hides what is below
   */
  add(target: { readonly directory: readonly string[]; readonly name: string }, names: LinkNames): string {
    const { directory, name } = target;
    this.#checkVisible(directory, names.linkName);
    if (this.#files.length >= MAX_FILES)
      throw resourceExhausted(`the layer has hard links to more than ${MAX_FILES} files of the layers below`);
    const path = `${this.#tree.ensure(directory).path}/${name}`;
    const fd = openSync(toPath(path), PLACEHOLDER, 0o600);
    const file = { ...target, ...names, fd, inode: fstatSync(fd).ino, paths: [] };
    this.#files.push(file);
    this.#note(path, file);
    return path;
  }

  /** Says that `path` was linked to `target`, which may stand for a lower file. */
  linked(target: string, path: string): void {
    const file = this.#byPath.get(target);
    if (file !== undefined) this.#note(path, file);
  }

  /** Takes away the file that stands for a lower one at its own path, as a whiteout there hides that. */
  hide(path: string): void {
    const file = this.#byPath.get(path);
    if (file?.paths[0] !== path || !isAt(path, file)) return;
    unlinkSync(toPath(path));
    this.#tree.hasRemoved = true;
  }

  /**
   * Makes copies of the lower files. `lowers`: the layers below, top first, all unpacked.
   * @returns the bytes of each @throws data-loss, resource-exhausted past `maxBytes` in all
   */
  fill(lowers: readonly string[], maxBytes: number): number[] {
    const sizes: number[] = [];
    let room = maxBytes;
    for (const file of this.#files) {
      const size = this.#fillOne(file, lowers, room);
      sizes.push(size);
      room -= size;
    }
    return sizes;
  }

  close(): void {
    for (const { fd } of this.#files.splice(0)) closeSync(fd);
  }

  #note(path: string, file: LowerFile): void {
    this.#pathBytes += path.length;
    if (this.#pathBytes > MAX_PATHS)
      throw resourceExhausted(`the names of hard links to the layers below have more than ${MAX_PATHS} bytes`);
    file.paths.push(path);
    this.#byPath.set(path, file);
  }

  /** What hides a lower directory is there already: a whiteout, another kind of file, an opaque directory above. */
  #checkVisible(directory: readonly string[], linkName: string): void {
    let node: DirectoryNode | undefined = this.#tree.root;
    for (const part of directory) {
      if (node.opaque) throw missing(linkName);
      const next: DirectoryNode | undefined = this.#tree.child(node, part);
      const found = next === undefined ? lstatIfThere(`${node.path}/${part}`) : undefined;
      if (found !== undefined) throw isWhiteout(found) ? missing(linkName) : noFile(linkName);
      if (next === undefined) return;
      node = next;
    }
    if (node.opaque) throw missing(linkName);
  }

  #fillOne(file: LowerFile, lowers: readonly string[], room: number): number {
    const [own = ''] = file.paths;
    if (this.#tree.hides(file.directory)) this.hide(own);
    const paths = [...new Set(file.paths)].filter((path) => isAt(path, file));
    if (paths.length === 0) return 0;
    try {
      const source = findBelow(lowers, file, this.#tree.lookups);
      if (source === undefined) throw missing(file.linkName);
      return source.stats.isFile() ? copy(source, paths, room) : remake(source, paths, file.linkName);
    } catch (error) {
      throw entryError(file.entryName, error);
    }
  }
}

export interface LinkNames {
  /** Of the hard link's entry, for messages. */
  readonly entryName: string;
  /** What it links to, as the archive has it. */
  readonly linkName: string;
}

interface Source {
  readonly path: string;
  readonly stats: Stats;
}

export function missing(linkName: string): Error {
  return dataLoss(`the hard link's target ${JSON.stringify(linkName)} is missing`);
}

export function noFile(linkName: string): Error {
  return dataLoss(`the hard link's target ${JSON.stringify(linkName)} is no file of this layer`);
}

/** The file in the merged view of the layers below, which no link leads to. */
function findBelow(lowers: readonly string[], { directory, name }: LowerFile, lookups: Lookups): Source | undefined {
  let merged = [...lowers];
  for (const part of directory) merged = mergedBelow(merged, part, lookups);
  for (const lower of merged) {
    lookups.one();
    const path = `${lower}/${name}`;
    const stats = lstatIfThere(path);
    if (stats !== undefined) return isWhiteout(stats) ? undefined : { path, stats };
  }
  return undefined;
}

function copy({ path, stats }: Source, [target = '']: readonly string[], room: number): number {
  if (stats.size > room) throw resourceExhausted('the files that it links to exceed the limit on bytes');
  copyFileSync(toPath(path), toPath(target), constants.COPYFILE_FICLONE);
  applyAttributes(target, readAttributes(path));
  return stats.size;
}

/** A link, device or fifo in place of the empty files; nothing else can be linked to (link(2)). */
function remake({ path, stats }: Source, paths: readonly string[], linkName: string): number {
  const [first = '', ...others] = paths;
  if (stats.isDirectory()) throw dataLoss(`the hard link's target ${JSON.stringify(linkName)} is a directory`);
  for (const each of paths) unlinkSync(toPath(each));
  if (stats.isSymbolicLink()) {
    symlinkSync(readlinkSync(toPath(path), { encoding: 'buffer' }), toPath(first));
    applyLinkAttributes(first, readAttributes(path));
  } else {
    mknodSync(toPath(first), (stats.mode & constants.S_IFMT) | 0o600, deviceOf(BigInt(stats.rdev)));
    applyAttributes(first, readAttributes(path));
  }
  for (const other of others) linkSync(toPath(first), toPath(other));
  return 0;
}

function isAt(path: string, { inode }: LowerFile): boolean {
  return lstatIfThere(path)?.ino === inode;
}
