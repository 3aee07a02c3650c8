import { randomBytes } from 'node:crypto';
import { fstatSync, mkdirSync, type Stats } from 'node:fs';
import { basename, dirname } from 'node:path';

import { errnoOf } from '../errors.js';
import { AT_FDCWD, check, raw, type OpenHow } from './libc.js';

/** A regular file that is open for appending, or what is in the way of one. May block: for the system-call threads. */
export type Appended = { readonly fd: number; readonly fresh?: FreshFile } | { readonly obstacle: string };

/** A file that does not have its name yet. */
export interface FreshFile {
  /** A descriptor of its directory, the caller's to close. */
  readonly directory: number;
  /** The name that it has meanwhile. */
  readonly name: string;
}

const O_PATH = 0o10000000;
const O_DIRECTORY = 0o200000;
const O_NOFOLLOW = 0o400000;
const O_APPEND = 0o2000;
const O_WRONLY = 1;
const O_CREAT_EXCL = 0o300;
/** openat2(2): no links, not even of /proc, and nothing that leaves the directory. */
const RESOLVE_STRAIGHT = 0x04 | 0x02 | 0x08;

const DIRECTORY_MODE = 0o755;
const FILE_MODE = 0o640;
/** For a name that is made and removed meanwhile. */
const ATTEMPTS = 100;

/**
 * Opens `path` below `directory` for appending, and makes what is missing of it. Others may write there too: neither the
 * name of `directory` itself nor any below it may be a link, and nothing but a regular file is opened for more than its
 * path, since a fifo waits for its reader and a device does what it does. The descriptor is the caller's to close.
 * @param fresh makes a new file under another name, for the caller to give it its own.
 */
export function appendBelowSync(directory: string, path: string, fresh = false): Appended {
  // What leads to the directory is not the pod's: there, links are an administrator's.
  const parent = open(AT_FDCWD, dirname(directory), { flags: O_PATH | O_DIRECTORY, resolve: 0 });
  const names = path.split('/').filter((name) => name !== '' && name !== '.');
  const file = names.pop() ?? '.';
  return descend(parent, [basename(directory), ...names], (place) =>
    fresh ? makeFresh(place, file) : appendIn(place, file),
  );
}

/** Closes `place`, and all that it opens on the way. */
function descend(place: number, names: readonly string[], fn: (place: number) => Appended): Appended {
  try {
    const [name, ...rest] = names;
    if (name === undefined) return fn(place);
    const next = lookup(place, name, () => mkdirSync(`/proc/self/fd/${place}/${name}`, { mode: DIRECTORY_MODE }));
    const stat = fstatSync(next);
    if (stat.isDirectory()) return descend(next, rest, fn);
    raw.close(next);
    return { obstacle: `"${name}" on the way is ${kindOf(stat)}` };
  } finally {
    raw.close(place);
  }
}

function appendIn(place: number, name: string): Appended {
  let made: number | undefined;
  const found = lookup(place, name, () => {
    const flags = O_WRONLY | O_APPEND | O_CREAT_EXCL | O_NOFOLLOW;
    made = open(place, name, { flags, mode: FILE_MODE, resolve: RESOLVE_STRAIGHT });
  });
  try {
    if (made !== undefined) return { fd: made };
    const stat = fstatSync(found);
    if (!stat.isFile()) return { obstacle: `it is ${kindOf(stat)}` };
    // The very file that was looked at, whatever has its name by now.
    return { fd: open(AT_FDCWD, `/proc/self/fd/${found}`, { flags: O_WRONLY | O_APPEND, resolve: 0 }) };
  } finally {
    raw.close(found);
  }
}

function makeFresh(place: number, file: string): Appended {
  const found = ifThere(() => open(place, file, { flags: O_PATH | O_NOFOLLOW, resolve: RESOLVE_STRAIGHT }));
  if (found !== undefined) {
    const stat = fstatSync(found);
    raw.close(found);
    if (!stat.isFile()) return { obstacle: `it is ${kindOf(stat)}` };
  }
  const name = `.${randomBytes(8).toString('hex')}.new`;
  const flags = O_WRONLY | O_APPEND | O_CREAT_EXCL | O_NOFOLLOW;
  const fd = open(place, name, { flags, mode: FILE_MODE, resolve: RESOLVE_STRAIGHT });
  return { fd, fresh: { directory: open(place, '.', { flags: O_PATH | O_DIRECTORY, resolve: 0 }), name } };
}

function ifThere(look: () => number): number | undefined {
  try {
    return look();
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** A descriptor of what has the name, a link itself for a link; `make` is for when nothing has. */
function lookup(place: number, name: string, make: () => void): number {
  for (let attempt = 1; ; attempt++) {
    try {
      return open(place, name, { flags: O_PATH | O_NOFOLLOW, resolve: RESOLVE_STRAIGHT });
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT' || attempt === ATTEMPTS) throw error;
    }
    try {
      make();
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw error;
    }
  }
}

/** Never by `node:fs`, which would close it with the thread. */
function open(place: number, path: string, how: OpenHow): number {
  return check(raw.openat2(place, path, how), 'openat2', path);
}

function kindOf(stat: Stats): string {
  if (stat.isSymbolicLink()) return 'a symbolic link';
  if (stat.isDirectory()) return 'a directory';
  if (stat.isFIFO()) return 'a fifo';
  if (stat.isSocket()) return 'a socket';
  return stat.isFile() ? 'a file' : 'a device';
}
