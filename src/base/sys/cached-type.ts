import { AT_FDCWD, check, libcStatx, raw } from './libc.js';

export type PathType = 'directory' | 'other';

const O_PATH = 0o10000000;
const O_NOFOLLOW = 0o400000;
const RESOLVE_CACHED = 0x20;
const AT_EMPTY_PATH_DONT_SYNC = 0x1000 | 0x4000;
const STATX_TYPE_SIZE = 0x1 | 0x200;
const S_IFMT = 0o170000;
const S_IFDIR = 0o040000;

/** What an absolute path leads to, if {@link cachedStatOf} knows. */
export function cachedTypeOf(path: string): PathType | undefined {
  const stat = cachedStatOf(path, { follow: true });
  if (stat === undefined) return undefined;
  return (stat.mode & S_IFMT) === S_IFDIR ? 'directory' : 'other';
}

/**
 * Mode and size of what an absolute path leads to, or with `follow: false` of a link itself, if the kernel knows that without
 * asking a file system (openat2(2), RESOLVE_CACHED), which could hang; undefined where it does not, or is older than 5.12.
 */
export function cachedStatOf(
  path: string,
  { follow }: { readonly follow: boolean },
): { readonly mode: number; readonly size: number } | undefined {
  const fd = raw.openat2(AT_FDCWD, path, { flags: O_PATH | (follow ? 0 : O_NOFOLLOW), resolve: RESOLVE_CACHED });
  if (fd < 0) return undefined;
  try {
    // struct statx { u32 mask, blksize; u64 attributes; u32 nlink, uid, gid; u16 mode; u64 ino, size; … }, 256 bytes
    const statx = Buffer.alloc(256);
    check(libcStatx(fd, '', AT_EMPTY_PATH_DONT_SYNC, STATX_TYPE_SIZE, statx) as number, 'statx', path);
    return { mode: statx.readUInt16LE(28), size: Number(statx.readBigUInt64LE(40)) };
  } finally {
    raw.close(fd);
  }
}
