import { dataLoss, type GantryError } from '../../base/errors.js';

export const BLOCK = 512;
const MAX_DISPLAY = 200;

/**
 * A tar header's fields. Names are "binary" strings, one character a byte, since tar has no encoding and file
 * names none either; `displayName` makes them readable.
 */
export interface TarHeader {
  readonly name: string;
  readonly linkName: string;
  /** The type flag as it is: `0`, `5`, `x` … */
  readonly flag: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  /** Seconds since the epoch. */
  readonly mtime: number;
  readonly major: number;
  readonly minor: number;
}

/** A name for messages, which must stay short enough for a gRPC status. */
export function displayName(binary: string): string {
  const text = Buffer.from(binary.slice(0, MAX_DISPLAY), 'latin1').toString('utf8');
  return JSON.stringify(binary.length > MAX_DISPLAY ? `${text}…` : text);
}

/**
 * Reads one header block of any of the formats v7, ustar, GNU and star; undefined for a block of zeros.
 * @throws data-loss if the checksum or a number is wrong.
 */
export function readHeader(block: Buffer): TarHeader | undefined {
  if (isZero(block)) return undefined;
  verifyChecksum(block);
  const magic = block.toString('latin1', 257, 265);
  const posix = magic.startsWith('ustar\0');
  const hasDevices = posix || magic === 'ustar  \0';
  const flag = String.fromCharCode(block[156] ?? 0);
  return {
    name: readName(block, posix),
    linkName: text(block, 157, 100),
    flag: flag === '\0' ? '0' : flag,
    mode: readNumber(block, 100, 8) & 0o7777,
    uid: readNumber(block, 108, 8),
    gid: readNumber(block, 116, 8),
    size: readNumber(block, 124, 12),
    mtime: readNumber(block, 136, 12),
    major: hasDevices ? readNumber(block, 329, 8) : 0,
    minor: hasDevices ? readNumber(block, 337, 8) : 0,
  };
}

/** Only POSIX formats have a prefix; star, known by its trailer, has other fields in the end of it. */
function readName(block: Buffer, posix: boolean): string {
  const name = text(block, 0, 100);
  if (!posix) return name;
  const star = block.toString('latin1', 508, 512) === 'tar\0';
  const prefix = text(block, 345, star ? 131 : 155);
  return prefix === '' ? name : `${prefix}/${name}`;
}

function text(block: Buffer, start: number, length: number): string {
  const end = block.indexOf(0, start);
  return block.toString('latin1', start, end < 0 || end > start + length ? start + length : end);
}

const [NUL, BLANK, ZERO, SEVEN] = [0, 0x20, 0x30, 0x37];

/** A number field: octal digits padded with blanks and NULs or, with the first bit set, a big-endian number (GNU, star). */
export function readNumber(block: Buffer, start: number, length: number): number {
  const first = block[start] ?? 0;
  if (first & 0x80) return binaryNumber(block.subarray(start, start + length));
  let at = start;
  let end = start + length;
  while (at < end && isPadding(block[at])) at++;
  while (at < end && isPadding(block[end - 1])) end--;
  let value = 0;
  for (; at < end; at++) {
    const digit = block[at] ?? 0;
    if (digit < ZERO || digit > SEVEN) throw badNumber(block.toString('latin1', start, start + length));
    value = value * 8 + digit - ZERO;
  }
  return value;
}

function isPadding(byte: number | undefined): boolean {
  return byte === BLANK || byte === NUL;
}

function badNumber(field: string): GantryError {
  return dataLoss(`a tar header has the number ${JSON.stringify(field.replace(/^[ \0]+|[ \0]+$/g, ''))}`);
}

function binaryNumber(field: Buffer): number {
  const negative = ((field[0] ?? 0) & 0x40) !== 0;
  let value = BigInt(negative ? -1 : 0);
  value = (value << 6n) | BigInt((field[0] ?? 0) & 0x3f);
  for (const byte of field.subarray(1)) value = (value << 8n) | BigInt(byte);
  const result = Number(value);
  if (!Number.isSafeInteger(result)) throw dataLoss(`a tar header has the number ${value}`);
  return result;
}

/** The sum of all bytes, the checksum's own taken for blanks; some old writers summed signed bytes. */
function verifyChecksum(block: Buffer): void {
  const expected = readNumber(block, 148, 8);
  let unsigned = 8 * 32;
  let signed = 8 * 32;
  for (let i = 0; i < BLOCK; i++) {
    if (i >= 148 && i < 156) continue;
    const byte = block[i] ?? 0;
    unsigned += byte;
    signed += byte > 127 ? byte - 256 : byte;
  }
  if (expected !== unsigned && expected !== signed) throw dataLoss('a tar header has a wrong checksum');
}

function isZero(block: Buffer): boolean {
  return block[0] === 0 && block.every((byte) => byte === 0);
}
