import { dataLoss, resourceExhausted } from '../../base/errors.js';
import { MAX_FRAGMENTS } from './sparse.js';

/** What PAX extended headers (pax(1), "pax Extended Header") say of the entry after them. Names are binary strings. */
export interface PaxOverrides {
  path?: string;
  linkPath?: string;
  size?: number;
  uid?: number;
  gid?: number;
  mtimeNs?: bigint;
  /** By name, a binary string. */
  readonly xattrs: Map<string, Buffer>;
  readonly sparse: SparseOverrides;
}

/** What GNU tar's PAX formats say of a sparse file. */
export interface SparseOverrides {
  /** The file's own name; `path` is another, for readers that know no sparse files. */
  name?: string;
  /** Of the file with its holes. */
  size?: number;
  /** Offsets and lengths in turn: formats 0.0 and 0.1. */
  numbers?: string[];
  /** Format 1.0: the list comes before the data. */
  listed?: boolean;
}

const XATTR_PREFIX = 'SCHILY.xattr.';
const SPARSE_PREFIX = 'GNU.sparse.';
const MAX_NUMBERS = 2 * MAX_FRAGMENTS;
const COMMA = 0x2c;

/** Applies one extended header's records to what is known so far. @throws data-loss, resource-exhausted */
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
  checkNames(into.xattrs);
}

function checkNames(xattrs: ReadonlyMap<string, Buffer>): void {
  let bytes = 0;
  for (const name of xattrs.keys()) bytes += name.length + 1;
  if (bytes > LIST_MAX) throw dataLoss(`the names of its attributes have ${bytes} bytes, more than ${LIST_MAX}`);
}

function readRecord(record: Buffer, into: PaxOverrides): void {
  const equals = record.indexOf(0x3d);
  if (equals < 1) throw dataLoss('a PAX header has a record without key');
  const key = record.toString('latin1', 0, equals);
  const value = record.subarray(equals + 1);
  if (key.startsWith(XATTR_PREFIX)) setXattr(xattrName(key), value, into.xattrs);
  else if (key.startsWith(SPARSE_PREFIX)) readSparse(key, value, into.sparse);
  else if (value.length > 0) readField(key, value, into);
}

/** The kernel's XATTR_NAME_MAX, XATTR_SIZE_MAX and XATTR_LIST_MAX. */
const [NAME_MAX, VALUE_MAX, LIST_MAX] = [255, 65_536, 65_536];

/** An empty value takes back what an earlier one said. @throws data-loss for what no file can have */
function setXattr(name: string, value: Buffer, into: Map<string, Buffer>): void {
  if (value.length === 0) {
    into.delete(name);
    return;
  }
  if (name.length > NAME_MAX) throw dataLoss(`an attribute's name has ${name.length} bytes, more than ${NAME_MAX}`);
  if (value.length > VALUE_MAX)
    throw dataLoss(`the attribute ${JSON.stringify(name)} has ${value.length} bytes, more than ${VALUE_MAX}`);
  into.set(name, Buffer.from(value));
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
  else if (key === 'mtime') into.mtimeNs = nanoseconds(value);
  else if (key === 'size' || key === 'uid' || key === 'gid') into[key] = decimal(key, value, /^[0-9]+$/);
}

/** GNU tar's manual, "Storing Sparse Files". */
function readSparse(key: string, value: Buffer, into: SparseOverrides): void {
  const field = key.slice(SPARSE_PREFIX.length);
  if (field === 'name') into.name = name(value);
  else if (field === 'size' || field === 'realsize') into.size = decimal(key, value, /^[0-9]+$/);
  else if (field === 'map') into.numbers = splitMap(value);
  else if (field === 'offset' || field === 'numbytes') addNumber(value, (into.numbers ??= []));
  else if (field === 'major') into.listed = isFormatOne(value);
  else if (field === 'minor' && value.toString('latin1') !== '0') throw unknownSparse(field, value);
}

function splitMap(value: Buffer): string[] {
  const text = value.toString('latin1');
  if (value.reduce((count, byte) => count + Number(byte === COMMA), 1) > MAX_NUMBERS) throw tooMany();
  return text === '' ? [] : text.split(',');
}

function addNumber(value: Buffer, into: string[]): void {
  if (into.length >= MAX_NUMBERS) throw tooMany();
  into.push(value.toString('latin1'));
}

function tooMany(): Error {
  return resourceExhausted(`the sparse file has more than ${MAX_FRAGMENTS} fragments`);
}

function isFormatOne(value: Buffer): boolean {
  const major = value.toString('latin1');
  if (major !== '0' && major !== '1') throw unknownSparse('major', value);
  return major === '1';
}

function unknownSparse(field: string, value: Buffer): Error {
  return dataLoss(
    `sparse files of ${field} version ${JSON.stringify(value.toString('latin1', 0, 40))} are not supported`,
  );
}

/** Seconds with a fraction; what is finer than nanoseconds is cut off. */
function nanoseconds(value: Buffer): bigint {
  decimal('mtime', value, /^-?[0-9]+(\.[0-9]*)?$/);
  const [seconds = '', fraction = ''] = value.toString('latin1').split('.');
  const ns = BigInt(seconds.replace('-', '')) * 1_000_000_000n + BigInt(fraction.slice(0, 9).padEnd(9, '0'));
  return seconds.startsWith('-') ? -ns : ns;
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
