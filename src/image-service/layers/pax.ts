import { dataLoss } from '../../base/errors.js';

/** What PAX extended headers (pax(1), "pax Extended Header") say of the entry after them. Names are binary strings. */
export interface PaxOverrides {
  path?: string;
  linkPath?: string;
  size?: number;
  uid?: number;
  gid?: number;
  mtime?: number;
  readonly xattrs: Map<string, Buffer>;
}

const XATTR_PREFIX = 'SCHILY.xattr.';

/** Applies one extended header's records to what is known so far. */
export function readPax(data: Buffer, into: PaxOverrides): void {
  for (let rest = data; rest.length > 0;) {
    const space = rest.indexOf(0x20);
    const digits = rest.toString('latin1', 0, Math.max(space, 0));
    const length = Number(digits);
    if (!/^[0-9]{1,9}$/.test(digits) || length > rest.length || rest[length - 1] !== 0x0a || length < space + 3)
      throw dataLoss('a PAX header has a malformed record');
    readRecord(rest.subarray(space + 1, length - 1), into);
    rest = rest.subarray(length);
  }
}

function readRecord(record: Buffer, into: PaxOverrides): void {
  const equals = record.indexOf(0x3d);
  if (equals < 1) throw dataLoss('a PAX header has a record without key');
  const key = record.toString('utf8', 0, equals);
  const value = record.subarray(equals + 1);
  if (key.startsWith(XATTR_PREFIX)) into.xattrs.set(xattrName(key), Buffer.from(value));
  else if (key.startsWith('GNU.sparse.')) throw dataLoss('sparse files are not supported');
  else if (value.length > 0) readField(key, value, into);
}

function xattrName(key: string): string {
  const name = key.slice(XATTR_PREFIX.length);
  if (name === '' || name.includes('\0')) throw dataLoss('a PAX header has a malformed attribute name');
  return name;
}

/** Keys that have no meaning for an unpacked tree (comment, uname, atime …) are passed over. */
function readField(key: string, value: Buffer, into: PaxOverrides): void {
  if (key === 'path') into.path = name(value);
  else if (key === 'linkpath') into.linkPath = name(value);
  else if (key === 'mtime') into.mtime = decimal(key, value, /^-?[0-9]+(\.[0-9]*)?$/);
  else if (key === 'size' || key === 'uid' || key === 'gid') into[key] = decimal(key, value, /^[0-9]+$/);
}

function name(value: Buffer): string {
  if (value.includes(0)) throw dataLoss('a PAX header has a name with a NUL');
  return value.toString('latin1');
}

function decimal(key: string, value: Buffer, pattern: RegExp): number {
  const text = value.toString('latin1');
  const number = Number(text);
  if (!pattern.test(text) || Math.abs(number) > Number.MAX_SAFE_INTEGER)
    throw dataLoss(`a PAX header has the ${key} ${JSON.stringify(text.slice(0, 40))}`);
  return number;
}
