import { BLOCK } from './tar-header.js';
import type { EntryType } from './tar-reader.js';

/** One file for an archive. Names are binary strings, one character a byte. */
export interface TarMember {
  readonly type: EntryType;
  readonly name: string;
  readonly linkName?: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes that follow the header. */
  readonly size: number;
  /** Nanoseconds since the epoch. */
  readonly mtimeNs: bigint;
  readonly device?: { readonly major: number; readonly minor: number };
  /** By name, a binary string. */
  readonly xattrs: ReadonlyMap<string, Buffer>;
}

const FLAGS: Readonly<Record<EntryType, string>> = {
  file: '0',
  hardlink: '1',
  symlink: '2',
  char: '3',
  block: '4',
  directory: '5',
  fifo: '6',
};
const MAX_OCTAL_7 = 0o7777777;
const MAX_OCTAL_11 = 0o77777777777;
const NS = 1_000_000_000n;

/** Two blocks of zeros end an archive. */
export const TAR_END = Buffer.alloc(2 * BLOCK);

/** What follows a member's data to fill its last block. */
export function tarPadding(size: number): Buffer {
  return Buffer.alloc((BLOCK - (size % BLOCK)) % BLOCK);
}

/** A member's header in the PAX format (pax(1)); the same member has the same bytes everywhere and always. */
export function tarHeader(member: TarMember): Buffer {
  const records = paxRecords(member);
  if (records.length === 0) return ustarHeader(member);
  const data = Buffer.concat(records);
  const extended = ustarBlock({ name: 'PaxHeaders/x', flag: 'x', mode: 0o644, size: data.length });
  return Buffer.concat([extended, data, tarPadding(data.length), ustarHeader(member)]);
}

/** What the header proper has no room for. Attributes are sorted: a directory lists them in no order. */
function paxRecords({ name, linkName = '', size, uid, gid, mtimeNs, xattrs }: TarMember): Buffer[] {
  const records: Buffer[] = [];
  const add = (key: string, value: Buffer | string): void => void records.push(paxRecord(key, value));
  if (name.length > 100) add('path', Buffer.from(name, 'latin1'));
  if (linkName.length > 100) add('linkpath', Buffer.from(linkName, 'latin1'));
  if (size > MAX_OCTAL_11) add('size', String(size));
  if (uid > MAX_OCTAL_7) add('uid', String(uid));
  if (gid > MAX_OCTAL_7) add('gid', String(gid));
  if (mtimeNs % NS !== 0n || !fitsTime(mtimeNs)) add('mtime', secondsOf(mtimeNs));
  for (const [key, value] of [...xattrs].toSorted(([a], [b]) => (a < b ? -1 : 1))) add(`SCHILY.xattr.${key}`, value);
  return records;
}

function fitsTime(ns: bigint): boolean {
  return ns >= 0n && ns / NS <= BigInt(MAX_OCTAL_11);
}

function secondsOf(ns: bigint): string {
  const [sign, positive] = ns < 0n ? ['-', -ns] : ['', ns];
  return `${sign}${positive / NS}.${String(positive % NS).padStart(9, '0')}`;
}

/** A record's length counts its own digits. */
function paxRecord(key: string, value: Buffer | string): Buffer {
  const body = Buffer.concat([Buffer.from(` ${key}=`, 'latin1'), Buffer.from(value as string), Buffer.from('\n')]);
  let length = body.length + 1;
  while (String(length).length + body.length !== length) length = String(length).length + body.length;
  return Buffer.concat([Buffer.from(String(length)), body]);
}

function ustarHeader(member: TarMember): Buffer {
  const { type, name, linkName = '', mode, uid, gid, size, mtimeNs, device } = member;
  const seconds = fitsTime(mtimeNs) ? Number(mtimeNs / NS) : 0;
  return ustarBlock({ name, linkName, flag: FLAGS[type], mode, uid, gid, size, seconds, device });
}

interface UstarFields {
  readonly name: string;
  readonly linkName?: string;
  readonly flag: string;
  readonly mode: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly size: number;
  readonly seconds?: number;
  readonly device?: { readonly major: number; readonly minor: number } | undefined;
}

function ustarBlock({
  name,
  linkName = '',
  flag,
  mode,
  uid = 0,
  gid = 0,
  size,
  seconds = 0,
  device,
}: UstarFields): Buffer {
  const block = Buffer.alloc(BLOCK);
  block.write(name, 0, 100, 'latin1');
  octal(block, mode, { start: 100, length: 8 });
  octal(block, uid > MAX_OCTAL_7 ? 0 : uid, { start: 108, length: 8 });
  octal(block, gid > MAX_OCTAL_7 ? 0 : gid, { start: 116, length: 8 });
  octal(block, size > MAX_OCTAL_11 ? 0 : size, { start: 124, length: 12 });
  octal(block, seconds, { start: 136, length: 12 });
  block.write(flag, 156, 'latin1');
  block.write(linkName, 157, 100, 'latin1');
  block.write('ustar\x0000', 257, 'latin1');
  octal(block, device?.major ?? 0, { start: 329, length: 8 });
  octal(block, device?.minor ?? 0, { start: 337, length: 8 });
  block.fill(0x20, 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0`, 148, 'latin1');
  return block;
}

function octal(
  block: Buffer,
  value: number,
  { start, length }: { readonly start: number; readonly length: number },
): void {
  block.write(value.toString(8).padStart(length - 1, '0'), start, 'latin1');
}
