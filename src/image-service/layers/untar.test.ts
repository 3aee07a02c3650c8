import { existsSync, lstatSync, readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { readXattrSync } from '../../base/sys/xattr.js';
import { tarEntry, tarHeader, tarOf, withChecksum, type FixtureEntry } from './tar-fixture.js';
import { UnpackScratch, type UnpackOptions } from './unpack-fixture.js';

let house: UnpackScratch;
let scratch: string;

beforeEach(() => {
  house = new UnpackScratch();
  scratch = house.root;
});
afterEach(() => house.remove());

const unpack = (archive: Buffer, options?: UnpackOptions): string => house.unpack(archive, options);
const layer = (entries: readonly FixtureEntry[], options?: UnpackOptions): string => unpack(tarOf(entries), options);
const dir = (name: string, more: Partial<FixtureEntry> = {}): FixtureEntry => ({ name, flag: '5', ...more });
const modeOf = (path: string): number => lstatSync(path).mode & 0o7777;
const isWhiteout = (path: string): boolean => lstatSync(path).isCharacterDevice() && lstatSync(path).rdev === 0;
const isOpaque = (path: string): boolean => readXattrSync(path, 'trusted.overlay.opaque')?.toString() === 'y';

describe('files', () => {
  it('have content, mode, owner and time, also when the archive comes byte by byte', () => {
    const entries = [
      { name: 'a/b/f', data: 'x'.repeat(1500), mode: 0o4755, uid: 5, gid: 3_000_000_000, mtime: 1_000_000_000 },
    ];
    for (const step of [1, 7, 511, 512, 513, 100_000]) {
      const root = layer(entries, { step });
      const stats = lstatSync(join(root, 'a/b/f'));
      expect(readFileSync(join(root, 'a/b/f'), 'utf8')).toBe('x'.repeat(1500));
      expect([stats.mode & 0o7777, stats.uid, stats.gid, stats.mtimeMs]).toEqual([0o4755, 5, 3_000_000_000, 1e12]);
    }
  });

  it('keep fractions of seconds, long names and big ids of PAX headers', () => {
    const long = `${'d'.repeat(120)}/${'f'.repeat(200)}`;
    const root = layer([
      { name: 'short', data: '1', pax: { path: long, uid: '4000000000', mtime: '1700000000.25' } },
      { name: 'next' },
    ]);
    const stats = lstatSync(join(root, long));
    expect([stats.uid, stats.mtimeMs]).toEqual([4_000_000_000, 1_700_000_000_250]);
    expect(existsSync(join(root, 'next'))).toBe(true);
  });

  it('have long names and links of GNU headers', () => {
    const name = `${'n'.repeat(150)}\0`;
    const target = 't'.repeat(180);
    const root = unpack(
      Buffer.concat([
        tarEntry({ name: '././@LongLink', flag: 'K', data: `${target}\0` }),
        tarEntry({ name: '././@LongLink', flag: 'L', data: name }),
        tarOf([{ name: 'cut', flag: '2', link: 'cut' }]),
      ]),
    );
    expect(readlinkSync(join(root, 'n'.repeat(150)))).toBe(target);
  });

  it('keep names that are not UTF-8 byte for byte', () => {
    const root = layer([{ name: 'caf\xe9', data: 'x' }, { name: 'd\xff/f' }]);
    expect(
      readdirSync(root, { encoding: 'buffer' })
        .map((name) => name.toString('hex'))
        .sort(),
    ).toEqual(['636166e9', '64ff']);
  });

  it('keep them with attributes, as devices, whiteouts, links, directories and what is below', () => {
    const bytes = (name: string): Buffer => Buffer.concat([Buffer.from(`${root}/`), Buffer.from(name, 'latin1')]);
    const pax = { 'SCHILY.xattr.user.note': 'n' };
    const below = layer([dir('k\xe4', { uid: 9, pax })]);
    const root = layer(
      [
        { name: 'f\xfc', pax },
        { name: 'n\xe9', flag: '3', device: [1, 3] },
        { name: '.wh.w\xff' },
        { name: 'l\xe9', flag: '2', link: 't\xfe' },
        { name: 'h\xe9', flag: '1', link: 'f\xfc' },
        dir('o\xf6'),
        { name: 'o\xf6/.wh..wh..opq' },
        { name: 'k\xe4/in' },
      ],
      { lowers: [below] },
    );
    expect(readXattrSync(bytes('f\xfc'), 'user.note')?.toString()).toBe('n');
    expect(lstatSync(bytes('n\xe9')).rdev).toBe(0x103);
    expect([lstatSync(bytes('w\xff')).rdev, lstatSync(bytes('w\xff')).isCharacterDevice()]).toEqual([0, true]);
    expect(readlinkSync(bytes('l\xe9'), { encoding: 'buffer' }).toString('latin1')).toBe('t\xfe');
    expect(lstatSync(bytes('h\xe9')).nlink).toBe(2);
    expect(readXattrSync(bytes('o\xf6'), 'trusted.overlay.opaque')?.toString()).toBe('y');
    expect([lstatSync(bytes('k\xe4')).uid, readXattrSync(bytes('k\xe4'), 'user.note')?.toString()]).toEqual([9, 'n']);
  });

  it('keep nanoseconds, and times before 1970', () => {
    const times = ['1700000000.123456789', '-1.5', '1700000000.1234567891'];
    const root = layer(times.map((mtime, index) => ({ name: `f${index}`, pax: { mtime } })));
    const found = times.map((_, index) => lstatSync(join(root, `f${index}`), { bigint: true }).mtimeNs);
    expect(found).toEqual([1_700_000_000_123_456_789n, -1_500_000_000n, 1_700_000_000_123_456_789n]);
  });

  it('get extended attributes, but none that steer overlayfs or SELinux', () => {
    const capability = Buffer.from('0100000200040000000000000000000000000000', 'hex');
    const root = layer([
      {
        name: 'ping',
        pax: {
          'SCHILY.xattr.security.capability': capability,
          'SCHILY.xattr.user.note': 'hi=there',
          'SCHILY.xattr.trusted.overlay.redirect': '/etc',
          'SCHILY.xattr.security.selinux': 'x',
        },
      },
      dir('d', { pax: { 'SCHILY.xattr.user.note': 'dir' } }),
    ]);
    expect(readXattrSync(join(root, 'ping'), 'security.capability')).toEqual(capability);
    expect(readXattrSync(join(root, 'ping'), 'user.note')?.toString()).toBe('hi=there');
    expect(readXattrSync(join(root, 'ping'), 'trusted.overlay.redirect')).toBeUndefined();
    expect(readXattrSync(join(root, 'ping'), 'security.selinux')).toBeUndefined();
    expect(readXattrSync(join(root, 'd'), 'user.note')?.toString()).toBe('dir');
  });

  it('may be devices, fifos and hard links', () => {
    const root = layer([
      { name: 'null', flag: '3', device: [1, 3], mode: 0o666 },
      { name: 'loop', flag: '4', device: [7, 300], mode: 0o660, gid: 6 },
      { name: 'pipe', flag: '6', mode: 0o622 },
      { name: 'd/one', data: 'same' },
      { name: 'two', flag: '1', link: './d/one' },
      { name: 'three', flag: '1', link: '/d/one', size: 0 },
    ]);
    expect([lstatSync(join(root, 'null')).rdev, lstatSync(join(root, 'null')).isCharacterDevice()]).toEqual([
      0x103,
      true,
    ]);
    expect([lstatSync(join(root, 'loop')).gid, lstatSync(join(root, 'loop')).isBlockDevice()]).toEqual([6, true]);
    expect([modeOf(join(root, 'pipe')), lstatSync(join(root, 'pipe')).isFIFO()]).toEqual([0o622, true]);
    expect(lstatSync(join(root, 'd/one')).nlink).toBe(3);
    expect(lstatSync(join(root, 'two')).ino).toBe(lstatSync(join(root, 'three')).ino);
  });

  it('may be named twice: the last one counts, whatever the types', () => {
    const root = layer([
      { name: 'x', data: 'first' },
      { name: 'x', data: 'second' },
      { name: 'y', data: 'file' },
      dir('y'),
      { name: 'y/in', data: '1' },
      dir('z'),
      { name: 'z/gone', data: '1' },
      { name: 'z', flag: '2', link: 'x' },
      dir('w', { mode: 0o700 }),
      { name: 'w/stays' },
      dir('w', { mode: 0o711 }),
    ]);
    expect(readFileSync(join(root, 'x'), 'utf8')).toBe('second');
    expect(readFileSync(join(root, 'y/in'), 'utf8')).toBe('1');
    expect(isOpaque(join(root, 'y'))).toBe(true);
    expect(readlinkSync(join(root, 'z'))).toBe('x');
    expect([modeOf(join(root, 'w')), existsSync(join(root, 'w/stays'))]).toEqual([0o711, true]);
  });
});

describe('directories', () => {
  it('keep their time and mode although files come after them', () => {
    const root = layer([
      dir('d/', { mode: 0o2555, mtime: 1_000_000 }),
      { name: 'd/f', gid: 0 },
      dir('./', { mode: 0o711 }),
    ]);
    expect([modeOf(join(root, 'd')), lstatSync(join(root, 'd')).mtimeMs]).toEqual([0o2555, 1e9]);
    expect(lstatSync(join(root, 'd/f')).gid).toBe(0);
    expect(modeOf(root)).toBe(0o711);
  });

  it('that the layer does not list take their attributes from the layers below', () => {
    const base = layer([
      dir('home', { mode: 0o751, uid: 7 }),
      dir('home/me', { mode: 0o700, uid: 8, mtime: 5 }),
      dir('./', { mode: 0o715 }),
    ]);
    const middle = layer([{ name: 'home/me/x' }], { lowers: [base] });
    const top = layer([{ name: 'home/me/deep/y' }], { lowers: [middle, base] });
    for (const root of [middle, top]) {
      expect([modeOf(join(root, 'home')), lstatSync(join(root, 'home')).uid]).toEqual([0o751, 7]);
      expect([modeOf(join(root, 'home/me')), lstatSync(join(root, 'home/me')).mtimeMs]).toEqual([0o700, 5000]);
      expect(modeOf(root)).toBe(0o715);
    }
    expect([modeOf(join(top, 'home/me/deep')), lstatSync(join(top, 'home/me/deep')).mtimeMs]).toEqual([0o755, 0]);
  });

  it('that are opaque keep what they are themselves, unless they are whited out', () => {
    const base = layer([dir('a', { uid: 1 }), dir('b', { uid: 2 }), dir('b/c', { uid: 3 })]);
    const top = layer([{ name: 'a/.wh..wh..opq' }, { name: '.wh.b' }, { name: 'b/c/f' }], { lowers: [base] });
    expect(['a', 'b', 'b/c'].map((name) => lstatSync(join(top, name)).uid)).toEqual([1, 0, 0]);
    expect(['a', 'b', 'b/c'].map((name) => isOpaque(join(top, name)))).toEqual([true, true, false]);
  });

  it('take nothing from below a whiteout, an opaque directory or a link', () => {
    const base = layer([
      dir('a', { uid: 1 }),
      dir('a/b', { uid: 2 }),
      dir('c', { uid: 3 }),
      { name: 'l', flag: '2', link: 'c' },
    ]);
    const middle = layer([dir('a', { uid: 4 }), { name: 'a/.wh..wh..opq' }, { name: '.wh.c' }]);
    const top = layer([{ name: 'a/b/f' }, { name: 'c/f' }, { name: 'l/f' }], { lowers: [middle, base] });
    const owners = ['a', 'a/b', 'c', 'l'].map((name) => lstatSync(join(top, name)).uid);
    expect(owners).toEqual([4, 0, 0, 0]);
  });
});

describe('whiteouts', () => {
  it('become what overlayfs understands', () => {
    const root = layer([
      { name: 'etc/.wh.passwd' },
      dir('var'),
      { name: 'var/.wh..wh..opq' },
      { name: '.wh..wh.plnk' },
      { name: '.wh..wh.plnk/1.2', data: 'x' },
    ]);
    expect(isWhiteout(join(root, 'etc/passwd'))).toBe(true);
    expect(isOpaque(join(root, 'var'))).toBe(true);
    expect(readdirSync(root).sort()).toEqual(['etc', 'var']);
  });

  it('never hide what the same layer brings, before or after', () => {
    const root = layer([
      { name: 'a', data: '1' },
      { name: '.wh.a' },
      { name: '.wh.b' },
      { name: 'b', data: '2' },
      dir('c'),
      { name: 'c/f' },
      { name: '.wh.c' },
      { name: '.wh.d' },
      { name: 'd/f' },
    ]);
    expect(['a', 'b'].map((name) => readFileSync(join(root, name), 'utf8'))).toEqual(['1', '2']);
    expect(['c', 'd'].map((name) => isOpaque(join(root, name)))).toEqual([true, true]);
    expect(existsSync(join(root, 'c/f')) && existsSync(join(root, 'd/f'))).toBe(true);
  });
});

describe('hostile archives', () => {
  const hostile: readonly (readonly [string, readonly FixtureEntry[], RegExp])[] = [
    ['dots', [{ name: '../evil', data: 'x' }], /entry "\.\.\/evil": the name has a "\.\." component/],
    ['dots inside', [{ name: 'a/../../evil' }], /"a\/\.\.\/\.\.\/evil"/],
    ['dots by PAX', [{ name: 'ok', pax: { path: '/x/../../evil' } }], /evil/],
    [
      'a parent that is a link',
      [{ name: 'l', flag: '2', link: '/tmp' }, { name: 'l/evil' }],
      /entry "l\/evil": its parent "l" is not a directory/,
    ],
    [
      'a directory over a link, then below it',
      [{ name: 'l', flag: '2', link: '..' }, { name: 'l/x/evil' }],
      /"l\/x\/evil"/,
    ],
    ['a parent that is a file', [{ name: 'f', data: '1' }, { name: 'f/evil' }], /"f\/evil"/],
    ['a hard link out', [{ name: 'h', flag: '1', link: '../../etc/passwd' }], /entry "h": the name has a/],
    [
      'a hard link through a link',
      [
        { name: 'l', flag: '2', link: '/etc' },
        { name: 'h', flag: '1', link: 'l/passwd' },
      ],
      /no file of this layer/,
    ],
    [
      'a hard link to nothing',
      [{ name: 'h', flag: '1', link: 'nope' }],
      /entry "h": the hard link's target "nope" is missing/,
    ],
    ['a hard link to a directory', [dir('d'), { name: 'h', flag: '1', link: 'd' }], /no file of this layer/],
    ['a hard link to itself', [{ name: 'h', flag: '1', link: 'h' }], /target "h" is missing/],
    ['a whiteout of the parent', [{ name: 'a/.wh...' }], /the whiteout hides nothing/],
    ['a nameless whiteout', [{ name: '.wh.' }], /the whiteout hides nothing/],
    ['a file as root', [{ name: './', flag: '2', link: '/' }], /in place of the root/],
    ['an empty link', [{ name: 'l', flag: '2' }], /entry "l": a symbolic link without target/],
    ['an unknown type', [{ name: 'v', flag: 'V' }], /entry "v": tar entry type "V"/],
    [
      'a sparse file of a later format',
      [{ name: 's', pax: { 'GNU.sparse.major': '2' } }],
      /sparse files of major version "2" are not supported/,
    ],
    [
      'a sparse file whose list never comes',
      [{ name: 's', pax: { 'GNU.sparse.major': '1', 'GNU.sparse.minor': '0' } }],
      /entry "s": the sparse file ends in its list/,
    ],
    [
      'fragments that overlap',
      [{ name: 's', data: 'abcd', pax: { 'GNU.sparse.map': '0,2,1,2', 'GNU.sparse.size': '9' } }],
      /entry "s": the fragments of the sparse file overlap/,
    ],
    [
      'fragments beyond the end',
      [{ name: 's', data: 'ab', pax: { 'GNU.sparse.map': '8,2', 'GNU.sparse.size': '9' } }],
      /entry "s": .* beyond its 9 bytes/,
    ],
    [
      'fragments that are not all there',
      [{ name: 's', data: 'ab', pax: { 'GNU.sparse.map': '0,3', 'GNU.sparse.size': '9' } }],
      /entry "s": the sparse file has 2 bytes, where its fragments say 3/,
    ],
    [
      'fragments with rubbish for numbers',
      [{ name: 's', data: 'ab', pax: { 'GNU.sparse.map': '0,-2', 'GNU.sparse.size': '9' } }],
      /entry "s": the sparse file has the number "-2"/,
    ],
    ['an owner of -1', [{ name: 'o', uid: 0xffff_ffff }], /owner 4294967295/],
    ['a name with a NUL', [{ name: 'n', pax: { path: 'a\0b' } }], /NUL/],
    ['a name too long', [{ name: 'n', pax: { path: 'x'.repeat(300) } }], /ENAMETOOLONG/],
    ['a negative PAX size', [{ name: 'n', pax: { size: '-1' } }], /size "-1"/],
  ];

  it.each(hostile)('%s', (_name, entries, message) => {
    const before = readdirSync(tmpdir()).sort();
    expect(() => layer([{ name: 'fine', data: 'x' }, ...entries])).toThrow(message);
    expect(readdirSync(scratch).every((name) => name.startsWith('layer-'))).toBe(true);
    expect(readdirSync(tmpdir()).filter((name) => name.includes('evil') && !before.includes(name))).toEqual([]);
  });

  it('an absolute name counts from the root of the image', () => {
    const root = layer([
      { name: '/abs/f', data: 'x' },
      { name: 'h', flag: '1', link: '/abs/f' },
    ]);
    expect(readFileSync(join(root, 'abs/f'), 'utf8')).toBe('x');
  });

  it('the last file may lack its padding', () => {
    const root = unpack(tarEntry({ name: 'f', data: 'short' }).subarray(0, 517));
    expect(readFileSync(join(root, 'f'), 'utf8')).toBe('short');
  });

  it('broken headers and ends', () => {
    const good = tarHeader({ name: 'f' }, 0);
    const flipped = Buffer.from(good);
    flipped[0] = 0x67;
    const badNumber = withChecksum(Buffer.from(good.fill('9', 124, 130)));
    expect(() => unpack(Buffer.concat([flipped, Buffer.alloc(1024)]))).toThrow(/wrong checksum/);
    expect(() => unpack(badNumber)).toThrow(/number "999999/);
    expect(() => unpack(Buffer.concat([Buffer.alloc(512), tarHeader({ name: 'f' }, 0)]))).toThrow(
      /after a block of zeros/,
    );
    expect(() => unpack(tarHeader({ name: 'f' }, 0).subarray(0, 100))).toThrow(/in the middle of a header/);
    expect(() => unpack(tarEntry({ name: 'f', data: 'x', size: 5000 }))).toThrow(/in the middle of entry "f"/);
    expect(() => unpack(tarEntry({ name: 'x', flag: 'x', data: '99 path=a\n' }))).toThrow(/malformed record/);
    expect(() => unpack(tarEntry({ name: 'x', flag: 'x', size: 2 ** 30 }))).toThrow(
      /extended header of 1073741824 bytes/,
    );
  });

  it('more entries than allowed', () => {
    const entries = Array.from({ length: 11 }, (_, i) => ({ name: `f${i}` }));
    expect(() => layer(entries, { maxEntries: 10 })).toThrow(/entry "f10": the layer has more than 10 entries/);
  });

  it('random damage never crashes and never leaves the directory', () => {
    const archive = tarOf([
      dir('d'),
      { name: 'd/f', data: 'x'.repeat(700), pax: { path: 'd/g' } },
      { name: 'l', flag: '2', link: '..' },
    ]);
    let seed = 7;
    const random = (limit: number): number => (seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31) % limit;
    for (let round = 0; round < 300; round++) {
      const damaged = Buffer.from(archive);
      for (let i = 0; i < 3; i++) damaged[random(archive.length)] = random(256);
      const fixed = round % 2 === 0 ? withChecksum(damaged.subarray(0, 512)) : damaged;
      try {
        unpack(Buffer.concat([fixed, damaged.subarray(fixed.length)]), { step: 1 + random(600) });
      } catch (error) {
        expect((error as { code?: string }).code).toMatch(/data-loss|resource-exhausted|internal/);
      }
      expect(readdirSync(scratch).filter((name) => !name.startsWith('layer-'))).toEqual([]);
    }
  });
});
