import { gzipSync } from 'node:zlib';

import { imageOf, type FixtureImage } from '../../src/image-service/image-fixture.js';
import {
  paxEntry,
  tarEntry,
  tarHeader,
  tarOf,
  withChecksum,
  type FixtureEntry,
} from '../../src/image-service/layers/tar-fixture.js';

/** An image that must not be had: what it is, its content, what the pull answers. */
export interface HostileImage {
  readonly what: string;
  readonly image: FixtureImage;
  readonly code: 'DATA_LOSS' | 'RESOURCE_EXHAUSTED' | 'NOT_FOUND' | 'UNIMPLEMENTED' | 'FAILED_PRECONDITION';
  /** Names the entry or field. */
  readonly says: RegExp;
}

const dir = (name: string): FixtureEntry => ({ name, flag: '5' });
const link = (name: string, target: string): FixtureEntry => ({ name, flag: '2', link: target });
const hard = (name: string, target: string): FixtureEntry => ({ name, flag: '1', link: target });
const fine: FixtureEntry = { name: 'fine', data: 'x' };

/** An image of one layer, whose archive is `tar`. */
export function imageOfTar(tar: Buffer, compress: (data: Buffer) => Buffer = gzipSync): FixtureImage {
  return imageOf({ layers: [[]], pack: () => tar, compress });
}

function changedHeader(entry: FixtureEntry, change: (block: Buffer) => void): Buffer {
  const block = tarHeader(entry, 0);
  change(block);
  return Buffer.concat([tarEntry(fine), withChecksum(block), Buffer.alloc(1024)]);
}

const flipped = Buffer.concat([tarEntry(fine), tarHeader({ name: 'f' }, 0), Buffer.alloc(1024)]);
flipped.writeUInt8(0x67, 1024);

/** By entries: an entry before them shows that what came well goes too. */
const ENTRIES: readonly (readonly [string, readonly FixtureEntry[], RegExp])[] = [
  ['a name that leads up', [{ name: '../evil', data: 'x' }], /entry "\.\.\/evil": the name has a "\.\." component/],
  ['a name that leads up from inside', [{ name: 'a/../../evil' }], /entry "a\/\.\.\/\.\.\/evil"/],
  ['an absolute name that leads up', [{ name: '/../../tmp/evil' }], /entry "\/\.\.\/\.\.\/tmp\/evil"/],
  ['a PAX name that leads up', [{ name: 'ok', pax: { path: 'x/../../evil' } }], /entry "x\/\.\.\/\.\.\/evil"/],
  ['a directory that leads up', [dir('..')], /entry "\.\."/],
  [
    'a file below an absolute link',
    [link('l', '/tmp'), { name: 'l/evil' }],
    /entry "l\/evil": its parent "l" is not a dir/,
  ],
  ['a file below a relative link', [link('l', '../../..'), { name: 'l/evil' }], /entry "l\/evil": its parent "l"/],
  ['a directory below a link', [link('l', '..'), dir('l/evil')], /entry "l\/evil": its parent "l"/],
  [
    'a directory replaced by a link, then used',
    [dir('d'), { name: 'd/f' }, link('d', '/'), { name: 'd/tmp/evil' }],
    /entry "d\/tmp\/evil": its parent "d"/,
  ],
  ['a link below a link', [link('l', '/'), link('l/m', 'x')], /entry "l\/m"/],
  ['a whiteout below a link', [link('l', '/'), { name: 'l/.wh.etc' }], /entry "l\/\.wh\.etc": its parent "l"/],
  ['an opaque whiteout below a link', [link('l', '/'), { name: 'l/.wh..wh..opq' }], /entry "l\/\.wh\.\.wh\.\.opq"/],
  ['a device below a link', [link('l', '/dev'), { name: 'l/x', flag: '3', device: [1, 3] }], /entry "l\/x"/],
  ['a hard link that leads up', [hard('h', '../../etc/passwd')], /entry "h": the name has a "\.\."/],
  [
    'a hard link to a file of the machine',
    [hard('h', '/etc/passwd')],
    /entry "h": the hard link's target "\/etc\/passwd" is missing/,
  ],
  [
    'a hard link through a link',
    [link('l', '/etc'), hard('h', 'l/passwd')],
    /entry "h": .*"l\/passwd" is no file of this/,
  ],
  ['a hard link to a directory', [dir('d'), hard('h', 'd')], /entry "h": .*no file of this layer/],
  ['a hard link to nothing', [hard('h', 'nope')], /entry "h": the hard link's target "nope" is missing/],
  ['a hard link to itself', [hard('h', 'h')], /entry "h"/],
  ['a hard link to the root', [hard('h', '/')], /entry "h": .*no file of this layer/],
  ['a file below a file', [{ name: 'f', data: '1' }, { name: 'f/evil' }], /entry "f\/evil": its parent "f"/],
  [
    'a file below a device',
    [{ name: 'n', flag: '3', device: [1, 3] }, { name: 'n/evil' }],
    /entry "n\/evil": its parent "n"/,
  ],
  ['a file below a fifo', [{ name: 'p', flag: '6' }, { name: 'p/evil' }], /entry "p\/evil": its parent "p"/],
  ['a whiteout of the directory itself', [{ name: 'a/.wh..' }], /entry "a\/\.wh\.\.": the whiteout hides nothing/],
  ['a whiteout of the parent', [{ name: 'a/.wh...' }], /entry "a\/\.wh\.\.\.": the whiteout hides nothing/],
  ['a whiteout without a name', [{ name: '.wh.' }], /entry "\.wh\.": the whiteout hides nothing/],
  ['a link for the root', [link('./', '/')], /a symlink in place of the root/],
  ['a file for the root', [{ name: '.', data: 'x' }], /a file in place of the root/],
  ['a hard link for the root', [hard('/', 'fine')], /a hardlink in place of the root/],
  ['a link without target', [link('l', '')], /entry "l": a symbolic link without target/],
  ['a type that no image has', [{ name: 'v', flag: 'V' }], /entry "v": tar entry type "V" is not supported/],
  ['a multi-volume entry', [{ name: 'm', flag: 'M' }], /entry "m": tar entry type "M"/],
  ['an owner of -1', [{ name: 'o', uid: 0xffff_ffff }], /entry "o": owner 4294967295 is out of range/],
  ['an owner beyond 32 bits', [{ name: 'o', pax: { gid: '4294967296' } }], /entry "o": owner 4294967296/],
  ['a NUL in a name', [{ name: 'n', pax: { path: 'a\0b' } }], /a name with a NUL/],
  ['a NUL in a link', [{ ...link('n', 'x'), pax: { linkpath: '/etc\0/x' } }], /a name with a NUL/],
  ['a component that is too long', [{ name: 'n', pax: { path: 'x'.repeat(300) } }], /entry "xxx.*ENAMETOOLONG/],
  [
    'a path that is too long',
    [{ name: 'n', pax: { path: 'dir/'.repeat(2000) } }],
    /entry "n": the name has 8000 bytes, more than 4095/,
  ],
  [
    'a link target that is too long',
    [{ ...link('n', 'x'), pax: { linkpath: 'x'.repeat(5000) } }],
    /entry "n": the link target has 5000 bytes, more than 4095/,
  ],
  [
    'directories that lie too deep in each other',
    [{ name: 'n', flag: '5', pax: { path: 'd/'.repeat(300) } }],
    /entry "d\/d\/.*: the name is 300 levels deep, more than 256/,
  ],
  [
    'a link that leads too deep',
    [hard('n', 'x'), { ...hard('n', 'x'), pax: { linkpath: 'd/'.repeat(300) } }].slice(1),
    /the name is 300 levels deep/,
  ],
  [
    'an attribute whose name is too long',
    [{ name: 'n', pax: { [`SCHILY.xattr.user.${'x'.repeat(300)}`]: 'x' } }],
    /name has 305 bytes, more than 255/,
  ],
  [
    'more attributes than a file can have',
    [
      {
        name: 'n',
        pax: Object.fromEntries(
          Array.from({ length: 400 }, (_, i) => [`SCHILY.xattr.user.${'x'.repeat(200)}${i}`, 'x']),
        ),
      },
    ],
    /the names of its attributes have \d+ bytes, more than 65536/,
  ],
  ['a negative PAX size', [{ name: 'n', pax: { size: '-1' } }], /the size "-1"/],
  ['a PAX size that is no number', [{ name: 'n', pax: { size: '0x10' } }], /the size "0x10"/],
  ['a PAX time that is none', [{ name: 'n', pax: { mtime: 'now' } }], /the mtime "now"/],
  ['a PAX owner past all numbers', [{ name: 'n', pax: { uid: '9'.repeat(400) } }], /the uid "9999/],
  ['a nameless attribute', [{ name: 'n', pax: { 'SCHILY.xattr.': 'x' } }], /malformed attribute name/],
  [
    'an attribute that is too long',
    [{ name: 'n', pax: { 'SCHILY.xattr.user.x': 'x'.repeat(70_000) } }],
    /the attribute "user\.x" has 70000 bytes, more than 65536/,
  ],
  [
    'a capability that is none',
    [{ name: 'n', pax: { 'SCHILY.xattr.security.capability': 'root' } }],
    /entry "n": .*security\.cap/,
  ],
  [
    'sparse fragments beyond the end',
    [{ name: 's', data: 'ab', pax: { 'GNU.sparse.map': '8,2', 'GNU.sparse.size': '9' } }],
    /entry "s": .*beyond/,
  ],
  [
    'sparse fragments that overlap',
    [{ name: 's', data: 'abcd', pax: { 'GNU.sparse.map': '0,2,1,2', 'GNU.sparse.size': '9' } }],
    /entry "s": .*overlap/,
  ],
  ['a sparse format of the future', [{ name: 's', pax: { 'GNU.sparse.major': '7' } }], /major version "7"/],
];

const SPARSE_LIST = `${'9'.repeat(4)}\n`.padEnd(512, '0\n');

const ARCHIVES: readonly (readonly [string, Buffer, RegExp])[] = [
  ['a wrong checksum', flipped, /wrong checksum/],
  [
    'a negative size',
    changedHeader({ name: 'f' }, (block) => block.fill(0xff, 124, 136)),
    /entry "f": the size is negative/,
  ],
  ['a number that is none', changedHeader({ name: 'f' }, (block) => block.fill('9', 124, 130)), /the number "999999/],
  [
    'a number past all bounds',
    changedHeader({ name: 'f' }, (block) => block.fill(0x7f, 125, 136).writeUInt8(0x80, 124)),
    /the number \d+/,
  ],
  ['the end in the middle of a file', tarEntry({ name: 'f', data: 'x', size: 5000 }), /in the middle of entry "f"/],
  ['the end in the middle of a header', tarHeader({ name: 'f' }, 0).subarray(0, 100), /in the middle of a header/],
  [
    'the end in an extended header',
    tarEntry({ name: 'x', flag: 'x', data: '30', size: 4000 }),
    /in the middle of entry "x"/,
  ],
  [
    'more after a block of zeros',
    Buffer.concat([tarEntry(fine), Buffer.alloc(512), tarOf([fine])]),
    /after a block of zeros/,
  ],
  ['a PAX record without end', tarOf([{ name: 'x', flag: 'x', data: '99 path=a\n' }]), /malformed record/],
  ['a PAX record without key', tarOf([{ name: 'x', flag: 'x', data: '6 =ab\n' }]), /record without key/],
  ['rubbish for an archive', Buffer.alloc(4096, 7), /checksum|number/],
  [
    'a list of fragments that goes on past the file',
    Buffer.concat([
      paxEntry({ 'GNU.sparse.major': '1', 'GNU.sparse.minor': '0' }),
      tarOf([{ name: 's', data: SPARSE_LIST }]),
    ]),
    /entry "s": the sparse file ends in its list/,
  ],
];

/** What the daemon of the suite allows a layer. */
export const LIMITS = { max_layer_size: 32, max_layer_entries: 500 } as const;

const TOO_MUCH: readonly (readonly [string, Buffer, RegExp])[] = [
  [
    'more entries than allowed',
    tarOf(Array.from({ length: 600 }, (_, i) => ({ name: `f${i}` }))),
    /entry "f500": .* more than 500 entries/,
  ],
  [
    'a bomb of one file',
    tarOf([{ name: 'bomb', data: Buffer.alloc(40 << 20) }]),
    /entry "bomb": .* more than 33554432 bytes/,
  ],
  [
    'a bomb of many files',
    tarOf(Array.from({ length: 40 }, (_, i) => ({ name: `f${i}`, data: Buffer.alloc(1 << 20) }))),
    /more than 33554432 bytes, at entry "f31"/,
  ],
  [
    'a bomb behind the end',
    Buffer.concat([tarOf([fine]), Buffer.alloc(40 << 20)]),
    /unpacks to more than 33554432 bytes/,
  ],
  [
    'a bomb of a hole',
    tarOf([{ name: 's', pax: { 'GNU.sparse.map': '', 'GNU.sparse.size': '1125899906842624' } }]),
    /entry "s": .* more than 33554432/,
  ],
  ['a size that no disk has', tarOf([{ name: 'huge', size: 8 ** 11 - 1 }]), /entry "huge": .* more than 33554432/],
  [
    'many extended headers before one file',
    Buffer.concat([...Array.from({ length: 40 }, () => paxEntry({ comment: 'x' })), tarOf([fine])]),
    /more than 32 extended headers before one entry/,
  ],
  [
    'long extended headers before one file',
    Buffer.concat([...Array.from({ length: 3 }, () => paxEntry({ comment: 'x'.repeat(400_000) })), tarOf([fine])]),
    /extended header of \d+ bytes, or several/,
  ],
  [
    'names that imply more directories than allowed',
    tarOf(Array.from({ length: 4 }, (_, i) => ({ name: 'f', pax: { path: `${i}/${'d/'.repeat(200)}f` } }))),
    /more than 500 directories/,
  ],
  [
    'a sparse file of too many fragments',
    tarOf([{ name: 's', pax: { 'GNU.sparse.map': '0,0,'.repeat(50_000) } }]),
    /more than 43008 fragments/,
  ],
  [
    'an extended header without end',
    tarEntry({ name: 'x', flag: 'x', size: 2 ** 30 }),
    /extended header of 1073741824 bytes/,
  ],
  ['a long name without end', tarEntry({ name: 'x', flag: 'L', size: 2 ** 30 }), /extended header of 1073741824 bytes/],
];

/** Damage that the digests do not tell of: the publisher meant it. */
const COMPRESSED: readonly (readonly [string, (tar: Buffer) => Buffer, RegExp])[] = [
  ['gzip that is cut off', (tar) => gzipSync(tar).subarray(0, -12), /broken or cut off/],
  [
    'gzip with rubbish in the middle',
    (tar) => Buffer.concat([gzipSync(tar).subarray(0, 40), Buffer.alloc(2000, 0xff)]),
    /broken|cut off|checksum/,
  ],
  [
    'gzip with rubbish behind it',
    (tar) => Buffer.concat([gzipSync(tar), Buffer.alloc(2000, 0x41)]),
    /broken or cut off/,
  ],
  ['gzip that is only begun', (tar) => gzipSync(tar).subarray(0, 8), /broken or cut off/],
  ['zstd that is none', () => Buffer.from('28b52ffdffffffffffffffff', 'hex'), /broken or cut off/],
];

/** Layers that do harm, or would. */
export function hostileLayers(): HostileImage[] {
  const tar = tarOf([fine]);
  return [
    ...ENTRIES.map(([what, entries, says]) => bad(what, imageOfTar(tarOf([fine, ...entries])), says)),
    ...ARCHIVES.map(([what, archive, says]) => bad(what, imageOfTar(archive), says)),
    ...TOO_MUCH.map(([what, archive, says]) => ({
      ...bad(what, imageOfTar(archive), says),
      code: 'RESOURCE_EXHAUSTED' as const,
    })),
    ...COMPRESSED.map(([what, compress, says]) => bad(what, imageOfTar(tar, compress), says)),
  ];
}

function bad(what: string, image: FixtureImage, says: RegExp): HostileImage {
  return { what, image, code: 'DATA_LOSS', says };
}
