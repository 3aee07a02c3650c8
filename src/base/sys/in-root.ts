import { closeSync, fstatSync, openSync, readlinkSync, readSync } from 'node:fs';

import { unmountSync } from './calls.js';
import { check, raw } from './libc.js';

/** Paths below a root that is not trusted, resolved as if it were `/`. May block: for the system-call threads. */

const O_PATH = 0o10000000;

/**
 * Reads a regular file below `root`, resolving symbolic links as if `root` were `/`, so that a hostile image cannot
 * point outside. Undefined if there is none. At most `limit` bytes are read.
 */
export function readInRootSync(root: string, path: string, limit: number): Buffer | undefined {
  return atPlace(root, path, (place) => readPlace(place, limit));
}

/** Nothing but a regular file is opened for more than its path: an open alone may block, or arm a watchdog. */
function readPlace(place: number, limit: number): Buffer | undefined {
  const stat = fstatSync(place);
  if (!stat.isFile()) return undefined;
  const fd = openSync(`/proc/self/fd/${place}`, 'r');
  try {
    return readUpTo(fd, Math.min(stat.size, limit));
  } finally {
    closeSync(fd);
  }
}

/** Where a path below `root` leads, without ever leaving it: its path without links; undefined if it leads to nothing. */
export function findInRootSync(root: string, path: string): { path: string; directory: boolean } | undefined {
  return atPlace(root, path, (place) => ({
    path: readlinkSync(`/proc/self/fd/${place}`),
    directory: fstatSync(place).isDirectory(),
  }));
}

/** Shows at `target`, where a mount is, a directory of it alone; false if there is no such directory. */
export function narrowMountSync(target: string, path: string): boolean {
  const tree = atPlace(target, path, (place) =>
    fstatSync(place).isDirectory() ? check(raw.openTreeCloneAt(place), 'open_tree', `${target}/${path}`) : undefined,
  );
  if (tree === undefined) return false;
  try {
    unmountSync(target);
    check(raw.moveMount(tree, target, 4), 'move_mount', target);
    return true;
  } finally {
    raw.close(tree);
  }
}

/** Runs `fn` with a descriptor of what a path below `root` leads to; undefined if that is nothing. */
function atPlace<T>(root: string, path: string, fn: (place: number) => T): T | undefined {
  const directory = openSync(root, O_PATH);
  let place: number | undefined;
  try {
    place = openInRoot(directory, path);
    return fn(place);
  } catch (error) {
    const { code } = error as { code?: string };
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ELOOP') return undefined;
    throw error;
  } finally {
    closeSync(directory);
    if (place !== undefined) raw.close(place);
  }
}

const OPEN_ATTEMPTS = 100;

/** openat2(2) with RESOLVE_IN_ROOT, which gives EAGAIN where a rename on this machine crossed its `..`. */
function openInRoot(directory: number, path: string): number {
  const IN_ROOT_NO_MAGICLINKS = 0x10 | 0x02;
  for (let attempt = 1; ; attempt++) {
    try {
      const how = { flags: O_PATH, resolve: IN_ROOT_NO_MAGICLINKS };
      return check(raw.openat2(directory, path, how), 'openat2', path);
    } catch (error) {
      if ((error as { code?: string }).code !== 'EAGAIN' || attempt === OPEN_ATTEMPTS) throw error;
    }
  }
}

function readUpTo(fd: number, length: number): Buffer {
  const buffer = Buffer.alloc(length);
  let filled = 0;
  for (let got = -1; got !== 0 && filled < length; filled += got)
    got = readSync(fd, buffer, filled, length - filled, null);
  return buffer.subarray(0, filled);
}
