import koffi from 'koffi';

import type { Bytes } from './calls.js';
import { check, cPath } from './libc.js';

const libc = koffi.load('libc.so.6');
const llistxattr = libc.func('llistxattr', 'long', ['void *', 'void *', 'size_t']);
const lgetxattr = libc.func('lgetxattr', 'long', ['void *', 'void *', 'void *', 'size_t']);

/** The kernel's XATTR_SIZE_MAX and XATTR_LIST_MAX. */
const LIMIT = 65_536;
const buffer = Buffer.alloc(LIMIT);

/**
 * The extended attributes of the path itself, not of what a link points to; empty where there are none. Names are binary
 * strings, one character a byte.
 */
export function readXattrsSync(path: Bytes): Map<string, Buffer> {
  const length = sizeOrNone(() => check(Number(llistxattr(cPath(path), buffer, LIMIT)), 'llistxattr', String(path)));
  const names = buffer
    .toString('latin1', 0, length ?? 0)
    .split('\0')
    .slice(0, -1);
  const found = new Map<string, Buffer>();
  for (const name of names) {
    const value = readXattrSync(path, Buffer.from(name, 'latin1'));
    if (value !== undefined) found.set(name, value);
  }
  return found;
}

/** One extended attribute of the path itself, or undefined. */
export function readXattrSync(path: Bytes, name: Bytes): Buffer | undefined {
  const length = sizeOrNone(() =>
    check(
      Number(lgetxattr(cPath(path), cPath(name), buffer, LIMIT)),
      'lgetxattr',
      `${String(name)} on ${String(path)}`,
    ),
  );
  return length === undefined ? undefined : Buffer.from(buffer.subarray(0, length));
}

function sizeOrNone(call: () => number): number | undefined {
  try {
    return call();
  } catch (error) {
    const { code } = error as { code?: string };
    if (code === 'ENODATA' || code === 'EOPNOTSUPP' || code === 'ENOTSUP') return undefined;
    throw error;
  }
}
