import {
  closeSync,
  constants,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  type BigIntStats,
} from 'node:fs';

import { dataLoss } from '../../base/errors.js';
import { deviceOf } from '../../base/sys/device.js';
import { readXattrsSync } from '../../base/sys/xattr.js';
import { isForeign, OPAQUE } from './attributes.js';
import { toBinary, toPath } from './paths.js';
import { TAR_END, tarHeader, tarPadding, type TarMember } from './tar-writer.js';
import type { EntryType } from './tar-reader.js';

const CHUNK = 256 * 1024;
/** Of a whiteout, which has nothing of its own but its name. */
const NOTHING = { type: 'file', mode: 0o644, uid: 0, gid: 0, size: 0, mtimeNs: 0n, xattrs: new Map() } as const;

interface Walk {
  /** The first name of each file that has several, by inode. */
  readonly names: Map<bigint, string>;
}

/**
 * A layer's directory as the archive of an OCI layer (image-spec, layer.md): what overlayfs has as devices 0/0 and attributes
 * becomes whiteouts again. Entries are sorted and every directory is listed, so equal trees give equal bytes. Holes of sparse
 * files are written as zeros.
 */
export function* packTree(directory: string): Generator<Buffer> {
  yield* packDirectory({ path: toBinary(directory), name: '' }, { names: new Map() });
  yield TAR_END;
}

interface Place {
  /** On disk and in the archive, both binary strings. */
  readonly path: string;
  readonly name: string;
}

function* packDirectory(place: Place, walk: Walk): Generator<Buffer> {
  const stats = lstatSync(toPath(place.path), { bigint: true });
  const all = readXattrsSync(toPath(place.path));
  yield tarHeader({ ...memberOf(stats, all), type: 'directory', name: `${place.name || '.'}/` });
  const prefix = place.name === '' ? '' : `${place.name}/`;
  if (all.get(OPAQUE)?.toString() === 'y') yield tarHeader({ ...NOTHING, name: `${prefix}.wh..wh..opq` });
  const names = readdirSync(toPath(place.path), { encoding: 'latin1' as 'utf8' }).toSorted();
  for (const name of names) yield* packEntry({ path: `${place.path}/${name}`, name: prefix + name }, walk);
}

function* packEntry(place: Place, walk: Walk): Generator<Buffer> {
  const stats = lstatSync(toPath(place.path), { bigint: true });
  if (stats.isDirectory()) yield* packDirectory(place, walk);
  else if (stats.isCharacterDevice() && stats.rdev === 0n)
    yield tarHeader({ ...NOTHING, name: whiteoutOf(place.name) });
  else yield* packOther(place, stats, walk);
}

function* packOther(place: Place, stats: BigIntStats, { names }: Walk): Generator<Buffer> {
  const { name } = place;
  const first = names.get(stats.ino);
  const member = memberOf(stats, readXattrsSync(toPath(place.path)));
  if (first === undefined && stats.nlink > 1n) names.set(stats.ino, name);
  if (first !== undefined) yield tarHeader({ ...member, xattrs: new Map(), type: 'hardlink', name, linkName: first });
  else if (stats.isFile()) yield* packFile(place, { ...member, type: 'file', name, size: Number(stats.size) });
  else yield tarHeader({ ...member, ...specialOf(stats, place), name });
}

function whiteoutOf(name: string): string {
  const slash = name.lastIndexOf('/') + 1;
  return `${name.slice(0, slash)}.wh.${name.slice(slash)}`;
}

function* packFile({ path }: Place, member: TarMember): Generator<Buffer> {
  yield tarHeader(member);
  const fd = openSync(toPath(path), constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    for (let left = member.size; left > 0;) {
      const buffer = Buffer.allocUnsafe(Math.min(CHUNK, left));
      const count = readSync(fd, buffer, 0, buffer.length, null);
      if (count === 0) throw dataLoss(`${JSON.stringify(member.name)} became shorter while it was read`);
      left -= count;
      yield buffer.subarray(0, count);
    }
  } finally {
    closeSync(fd);
  }
  yield tarPadding(member.size);
}

type Special = Pick<TarMember, 'type'> & Partial<Pick<TarMember, 'linkName' | 'device'>>;

function specialOf(stats: BigIntStats, { path, name }: Place): Special {
  if (stats.isSymbolicLink())
    return { type: 'symlink', linkName: readlinkSync(toPath(path), { encoding: 'latin1' as 'utf8' }) };
  if (stats.isFIFO()) return { type: 'fifo' };
  const type: EntryType | undefined = stats.isCharacterDevice() ? 'char' : stats.isBlockDevice() ? 'block' : undefined;
  if (type === undefined) throw dataLoss(`${JSON.stringify(name)} is of a kind that no archive has`);
  return { type, device: deviceOf(stats.rdev) };
}

function memberOf(
  { mode, uid, gid, mtimeNs }: BigIntStats,
  xattrs: ReadonlyMap<string, Buffer>,
): Omit<TarMember, 'type' | 'name'> {
  const own = [...xattrs].filter(([name]) => !isForeign(name));
  return { mode: Number(mode) & 0o7777, uid: Number(uid), gid: Number(gid), size: 0, mtimeNs, xattrs: new Map(own) };
}
