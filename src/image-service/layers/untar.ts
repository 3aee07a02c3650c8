import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  ftruncateSync,
  linkSync,
  lstatSync,
  openSync,
  readFileSync,
  symlinkSync,
  writeSync,
} from 'node:fs';

import { dataLoss, errnoOf } from '../../base/errors.js';
import { mknodSync } from '../../base/sys/calls.js';
import { startWritingSync } from '../../base/sys/start-writing.js';
import { futimensSync } from '../../base/sys/times.js';
import { applyAttributes, applyLinkAttributes, applyXattrs } from './attributes.js';
import { countTree } from './count-tree.js';
import type { DirectoryNode } from './directory-node.js';
import { isWhiteout, LayerTree, type LayerTreeOptions } from './layer-tree.js';
import { LowerLinks, missing, noFile } from './lower-links.js';
import { components, toBinary, toPath } from './paths.js';
import { displayName } from './tar-header.js';
import type { TarEntry, TarSink, UnpackLimits } from './tar-reader.js';

/** Whiteouts of the OCI image-spec, layer.md. Other names with the double prefix are leftovers of AUFS. */
const WHITEOUT = '.wh.';
const OPAQUE_WHITEOUT = '.wh..wh..opq';
const AUFS_META = '.wh..wh.';

const TYPE_BITS = { char: constants.S_IFCHR, block: constants.S_IFBLK, fifo: constants.S_IFIFO } as const;
const CREATE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
const DISK_BLOCK = 4096;
/** The disk is given the bytes of big files while others are unpacked, so that little is left to do when layers are synced. */
const WRITE_OUT = { whileWriting: 4 << 20, atEnd: 1 << 20 };
/** What is taken from the mode of every new file; asking umask(2) would change it for a moment, in all threads. */
const UMASK = parseInt(/^Umask:\s*([0-7]+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '777', 8);

/** What a layer takes on disk. */
export interface DiskUse {
  readonly size: number;
  readonly inodes: number;
  /** How the layer is known to be whole later. */
  readonly whole: { readonly entries: number; readonly content: number };
}

interface OpenFile {
  readonly fd: number;
  readonly path: string;
  readonly entry: TarEntry;
  /** Bytes that came, and those of them that the disk was given. */
  written: number;
  given: number;
}

interface Place {
  readonly parent: DirectoryNode;
  readonly name: string;
  readonly path: string;
}

/**
 * Turns a layer's archive into a directory that overlayfs can stack: whiteouts become devices 0/0, opaque
 * whiteouts an attribute. Entries come in any order and may repeat: the last one counts.
 */
export class Untar implements TarSink {
  readonly #tree: LayerTree;
  #open: OpenFile | undefined;
  readonly #links: LowerLinks;
  #maxBytes = Number.MAX_SAFE_INTEGER;
  #size = 0;
  #content = 0;
  #files = 0;
  /** Of files that had one already. */
  #names = 0;
  readonly #root: string;

  /** @param root a new, empty directory that nobody else writes to. */
  constructor(root: string, options?: LayerTreeOptions) {
    this.#root = root;
    this.#tree = new LayerTree(toBinary(root), options);
    this.#links = new LowerLinks(this.#tree);
  }

  bound({ maxBytes, maxEntries }: UnpackLimits): void {
    this.#maxBytes = maxBytes;
    // A name may imply hundreds.
    this.#tree.maxDirectories = maxEntries;
  }

  entry(entry: TarEntry): void {
    this.#tree.trim();
    const parts = components(entry.name);
    const name = parts.pop();
    if (parts.some((part) => part.startsWith(AUFS_META))) return;
    if (name === undefined) this.#describeRoot(entry);
    else if (name.startsWith(WHITEOUT)) this.#whiteout(this.#tree.ensure(parts), name);
    else this.#create(entry, this.#tree.ensure(parts), name);
  }

  data(chunk: Buffer, position?: number): void {
    const open = this.#open;
    if (open === undefined) return;
    for (let done = 0; done < chunk.length;) {
      const at = position === undefined ? null : position + done;
      done += writeSync(open.fd, chunk, done, chunk.length - done, at);
    }
    open.written += chunk.length;
    writeOut(open, WRITE_OUT.whileWriting);
  }

  entryEnd(): void {
    const open = this.#open;
    if (open === undefined) return;
    this.#open = undefined;
    try {
      finishFile(open.fd, open.entry);
      writeOut(open, WRITE_OUT.atEnd);
    } finally {
      closeSync(open.fd);
    }
    applyXattrs(open.path, open.entry.xattrs);
  }

  /** Closes a file that was cut off. */
  abandon(): void {
    if (this.#open !== undefined) closeSync(this.#open.fd);
    this.#open = undefined;
    this.#links.close();
  }

  /**
   * Makes what depends on the layers below, given top first: copies of files that this layer links to, and the attributes
   * of directories that no entry describes.
   */
  finish(lowers: readonly string[]): DiskUse {
    const below = lowers.map(toBinary);
    for (const size of this.#links.fill(below, this.#maxBytes - this.#size)) this.#count(size, size);
    this.#links.close();
    this.#tree.finish(below);
    const { directories, hasRemoved } = this.#tree;
    const size = this.#size + directories * DISK_BLOCK;
    if (hasRemoved) {
      const { inodes, ...whole } = countTree(this.#root);
      return { size, inodes, whole };
    }
    const inodes = this.#files + directories;
    return { size, inodes, whole: { entries: inodes - 1 + this.#names, content: this.#content } };
  }

  #describeRoot(entry: TarEntry): void {
    if (entry.type !== 'directory') throw dataLoss(`a ${entry.type} in place of the root directory`);
    this.#tree.describe(this.#tree.root, entry);
  }

  /** A whiteout hides what is below this layer, never what the layer itself brings, before it or after. */
  #whiteout(parent: DirectoryNode, name: string): void {
    if (name === OPAQUE_WHITEOUT) parent.opaque = true;
    if (name.startsWith(AUFS_META)) return;
    const hidden = name.slice(WHITEOUT.length);
    if (hidden === '' || hidden === '.' || hidden === '..') throw dataLoss('the whiteout hides nothing');
    const own = this.#tree.child(parent, hidden);
    if (own !== undefined) this.#tree.replace(own);
    else {
      this.#links.hide(`${parent.path}/${hidden}`);
      this.#makeWhiteout(`${parent.path}/${hidden}`);
    }
  }

  #makeWhiteout(path: string): void {
    try {
      mknodSync(toPath(path), constants.S_IFCHR, { major: 0, minor: 0 });
      this.#files++;
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw error;
    }
  }

  #create(entry: TarEntry, parent: DirectoryNode, name: string): void {
    if (entry.type === 'directory') {
      this.#tree.describe(this.#tree.directory(parent, name), entry);
      return;
    }
    const place = { parent, name, path: `${parent.path}/${name}` };
    if (entry.type === 'hardlink') this.#hardlink(entry, place);
    else this.#createNew(entry, place);
  }

  #createNew(entry: TarEntry, place: Place): void {
    this.#files++;
    if (entry.type === 'file') this.#createFile(entry, place);
    else if (entry.type === 'symlink') this.#symlink(entry, place);
    else if (entry.type !== 'hardlink' && entry.type !== 'directory') this.#node({ ...entry, type: entry.type }, place);
  }

  #createFile(entry: TarEntry, place: Place): void {
    const fd = this.#replacing(place, () => openSync(toPath(place.path), CREATE, entry.mode & 0o777));
    this.#open = { fd, path: place.path, entry, written: 0, given: 0 };
    this.#count(entry.stored ?? entry.size, entry.size);
  }

  #count(stored: number, size: number): void {
    this.#size += Math.ceil(stored / DISK_BLOCK) * DISK_BLOCK;
    this.#content += size;
  }

  #symlink(entry: TarEntry, place: Place): void {
    if (entry.linkName === '') throw dataLoss('a symbolic link without target');
    this.#replacing(place, () => symlinkSync(toPath(entry.linkName), toPath(place.path)));
    applyLinkAttributes(place.path, entry);
  }

  #node(entry: TarEntry & { readonly type: 'char' | 'block' | 'fifo' }, place: Place): void {
    const device = entry.type === 'fifo' ? { major: 0, minor: 0 } : entry.device;
    this.#replacing(place, () => mknodSync(toPath(place.path), TYPE_BITS[entry.type] | 0o600, device));
    applyAttributes(place.path, entry);
  }

  /** The target is a file of this layer, reached like every path through real directories only, or of those below. */
  #hardlink(entry: TarEntry, place: Place): void {
    const directory = components(entry.linkName);
    const name = directory.pop();
    if (name === undefined) throw noFile(entry.linkName);
    const target =
      this.#ownFile(directory, { name, linkName: entry.linkName }) ?? this.#lowerFile(entry, directory, name);
    // GNU tar writes this for a file that it was given twice.
    if (target === place.path) return;
    this.#replacing(place, () => linkSync(toPath(target), toPath(place.path)));
    this.#names++;
    this.#links.linked(target, place.path);
  }

  #ownFile(
    directory: readonly string[],
    { name, linkName }: { readonly name: string; readonly linkName: string },
  ): string | undefined {
    const node = this.#tree.find(directory);
    if (node !== undefined && this.#tree.child(node, name) !== undefined) throw noFile(linkName);
    const path = `${node?.path ?? ''}/${name}`;
    const found = node === undefined ? undefined : lstatSync(toPath(path), { throwIfNoEntry: false });
    if (found !== undefined && isWhiteout(found)) throw missing(linkName);
    return found === undefined ? undefined : path;
  }

  #lowerFile({ name: entryName, linkName }: TarEntry, directory: readonly string[], name: string): string {
    const path = this.#links.add({ directory, name }, { entryName: displayName(entryName), linkName });
    this.#files++;
    return path;
  }

  /** Runs `make`, and once more after removing what was in the way. */
  #replacing<T>(place: Place, make: () => T): T {
    try {
      return make();
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw error;
      this.#tree.displace(place.parent, place.name);
      return make();
    }
  }
}

/** Not of sparse files, whose bytes are somewhere else. */
function writeOut(open: OpenFile, atLeast: number): void {
  if (open.written - open.given < atLeast || open.entry.stored !== undefined) return;
  startWritingSync(open.fd, open.given, open.written - open.given);
  open.given = open.written;
}

/**
 * Gives a file what it was not created with. New files belong to root, since the directories of an unfinished layer have no
 * setgid bit and no ACL. Owner first: chown clears setuid bits.
 */
function finishFile(fd: number, { uid, gid, mode, mtimeNs, size, stored }: TarEntry): void {
  if (stored !== undefined) ftruncateSync(fd, size);
  if (uid !== 0 || gid !== 0) fchownSync(fd, uid, gid);
  if ((mode & (UMASK | 0o7000)) !== 0) fchmodSync(fd, mode);
  futimensSync(fd, mtimeNs);
}
