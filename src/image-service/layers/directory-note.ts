import { dataLoss, errnoOf } from '../../base/errors.js';
import { lremovexattrSync, lsetxattrSync } from '../../base/sys/calls.js';
import { readXattrSync } from '../../base/sys/xattr.js';
import { OVERLAY, type Attributes } from './attributes.js';
import type { DirectoryNode } from './directory-node.js';
import { toPath } from './paths.js';

/** No image can bring it, see `isForeign`. Short, so that file systems have room for it in the inode. */
const NAME = `${OVERLAY}gantry`;
/** Flags, mode, owner, group, time; then late attributes. */
const HEAD = 19;
const [OPAQUE_FLAG, FRESH_FLAG, DESCRIBED_FLAG] = [1, 2, 4] as const;

/**
 * Writes what is known of a directory to itself, until {@link removeNote}.
 * @returns false where the file system does not take that
 */
export function writeNote(path: string, node: DirectoryNode): boolean {
  if (!node.noted && node.attributes === undefined && !node.opaque && !node.fresh) return true;
  try {
    lsetxattrSync(toPath(path), NAME, encode(node));
    node.noted = true;
    return true;
  } catch (error) {
    if (['ENOTSUP', 'EOPNOTSUPP', 'EPERM'].includes(errnoOf(error) ?? '')) return false;
    throw error;
  }
}

/** Reads it into a node of that directory. */
export function readNote(path: string, into: DirectoryNode): void {
  const note = readXattrSync(toPath(path), NAME);
  if (note === undefined) return;
  const flags = note.readUInt8(0);
  into.noted = true;
  into.opaque = (flags & OPAQUE_FLAG) !== 0;
  into.fresh = (flags & FRESH_FLAG) !== 0;
  if ((flags & DESCRIBED_FLAG) !== 0) into.attributes = decode(note);
}

export function removeNote(path: string): void {
  lremovexattrSync(toPath(path), NAME);
}

function encode({ opaque, fresh, attributes }: DirectoryNode): Buffer {
  const head = Buffer.alloc(HEAD);
  const described = attributes === undefined ? 0 : DESCRIBED_FLAG;
  head.writeUInt8((opaque ? OPAQUE_FLAG : 0) | (fresh ? FRESH_FLAG : 0) | described, 0);
  if (attributes === undefined) return head;
  head.writeUInt16LE(attributes.mode, 1);
  head.writeUInt32LE(attributes.uid, 3);
  head.writeUInt32LE(attributes.gid, 7);
  head.writeBigInt64LE(BigInt.asIntN(64, attributes.mtimeNs), 11);
  return Buffer.concat([head, ...[...attributes.xattrs].flatMap(([name, value]) => [part(name), part(value)])]);
}

function part(bytes: string | Buffer): Buffer {
  const data = typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes;
  const length = Buffer.alloc(4);
  length.writeUInt32LE(data.length);
  return Buffer.concat([length, data]);
}

function decode(note: Buffer): Attributes {
  const parts: Buffer[] = [];
  for (let at = HEAD; at < note.length;) {
    const length = note.readUInt32LE(at);
    parts.push(note.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  if (parts.length % 2 !== 0) throw dataLoss('a note of a directory is cut off');
  const xattrs = new Map<string, Buffer>();
  for (let i = 0; i < parts.length; i += 2) xattrs.set(parts[i]?.toString('latin1') ?? '', parts[i + 1] ?? Buffer.of());
  return {
    mode: note.readUInt16LE(1),
    uid: note.readUInt32LE(3),
    gid: note.readUInt32LE(7),
    mtimeNs: note.readBigInt64LE(11),
    xattrs,
  };
}
