import { createHash } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync, readlinkSync, type BigIntStats } from 'node:fs';

import { readXattrsSync } from '../../src/base/sys/xattr.js';

/** What is compared of a file: all that a container can see, but access and change times. */
export interface ListedFile {
  readonly type: 'file' | 'directory' | 'symlink' | 'char' | 'block' | 'fifo' | 'socket';
  /** Permissions with setuid, setgid and sticky, in octal. */
  readonly mode: string;
  readonly owner: string;
  readonly mtimeNs: string;
  readonly xattrs: Readonly<Record<string, string>>;
  /** Of a file: length and hash; of a link: its target; of a device: its numbers. */
  readonly content: string;
  /** The first by name of the paths that are the same file. */
  readonly sameAs: string;
}

/** Every file below a directory and the directory itself by path; names are binary strings, one character a byte. */
export function listTree(root: string): Map<string, ListedFile> {
  const found = new Map<string, ListedFile>();
  const inodes = new Map<string, string>();
  const visit = (path: string): void => {
    const bytes = Buffer.from(`${root}${path}`, 'latin1');
    const stats = lstatSync(bytes, { bigint: true });
    const inode = `${stats.dev}:${stats.ino}`;
    if (!inodes.has(inode)) inodes.set(inode, path);
    found.set(path, describeFile(bytes, stats, inodes.get(inode) ?? path));
    if (!stats.isDirectory()) return;
    const names = readdirSync(bytes, { encoding: 'buffer' }).map((name) => name.toString('latin1'));
    for (const name of names.sort()) visit(`${path}/${name}`);
  };
  visit('');
  return found;
}

function describeFile(path: Buffer, stats: BigIntStats, sameAs: string): ListedFile {
  return {
    type: typeOf(stats),
    mode: (Number(stats.mode) & 0o7777).toString(8),
    owner: `${stats.uid}:${stats.gid}`,
    mtimeNs: String(stats.mtimeNs),
    xattrs: Object.fromEntries(
      [...readXattrsSync(path)].map(([name, value]) => [name, value.toString('hex')] as const),
    ),
    content: contentOf(path, stats),
    sameAs,
  };
}

function typeOf(stats: BigIntStats): ListedFile['type'] {
  if (stats.isDirectory()) return 'directory';
  if (stats.isSymbolicLink()) return 'symlink';
  if (stats.isCharacterDevice()) return 'char';
  if (stats.isBlockDevice()) return 'block';
  if (stats.isFIFO()) return 'fifo';
  return stats.isSocket() ? 'socket' : 'file';
}

function contentOf(path: Buffer, stats: BigIntStats): string {
  if (stats.isFile()) return `${stats.size} ${createHash('sha256').update(readFileSync(path)).digest('hex')}`;
  if (stats.isSymbolicLink()) return readlinkSync(path, { encoding: 'buffer' }).toString('latin1');
  return stats.isCharacterDevice() || stats.isBlockDevice() ? String(stats.rdev) : '';
}
