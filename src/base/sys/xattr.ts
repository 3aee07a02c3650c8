import koffi from 'koffi';

import { check } from './libc.js';

const libc = koffi.load('libc.so.6');
const llistxattr = libc.func('llistxattr', 'long', ['str', 'void *', 'size_t']);
const lgetxattr = libc.func('lgetxattr', 'long', ['str', 'str', 'void *', 'size_t']);

/** The kernel's XATTR_SIZE_MAX and XATTR_LIST_MAX. */
const LIMIT = 65_536;
const buffer = Buffer.alloc(LIMIT);

/** The extended attributes of the path itself, not of what a link points to; empty where there are none. */
export function readXattrsSync(path: string): Map<string, Buffer> {
  const length = sizeOrNone(() => check(Number(llistxattr(path, buffer, LIMIT)), 'llistxattr', path));
  const names = buffer
    .toString('utf8', 0, length ?? 0)
    .split('\0')
    .slice(0, -1);
  const found = new Map<string, Buffer>();
  for (const name of names) {
    const value = readXattrSync(path, name);
    if (value !== undefined) found.set(name, value);
  }
  return found;
}

/** One extended attribute of the path itself, or undefined. */
export function readXattrSync(path: string, name: string): Buffer | undefined {
  const length = sizeOrNone(() =>
    check(Number(lgetxattr(path, name, buffer, LIMIT)), 'lgetxattr', `${name} on ${path}`),
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
