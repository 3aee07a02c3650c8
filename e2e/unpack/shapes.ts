import { imageOf, type FixtureImage } from '../../src/image-service/image-fixture.js';
import { paxEntry, tarEntry, tarOf, type FixtureEntry } from '../../src/image-service/layers/tar-fixture.js';

/** An image whose unpacked tree is compared with umoci's. */
export interface Shape {
  readonly what: string;
  /** As umoci reads it. */
  readonly image: FixtureImage;
  /** The same layers as the registry has them, where umoci knows that form not. */
  readonly pushed?: FixtureImage;
  /** Nanoseconds where umoci's clock stands for the time of a directory that the layer does not list. */
  readonly dated?: Readonly<Record<string, string>>;
}

const dir = (name: string, more: Partial<FixtureEntry> = {}): FixtureEntry => ({
  name: `${name}/`,
  flag: '5',
  ...more,
});
const root = dir('.', { mode: 0o755, mtime: 1_600_000_000 });
const note = (value: string): Record<string, string> => ({ 'SCHILY.xattr.user.note': value });
const CAPABILITY = Buffer.from('0100000200040000000000000000000000000000', 'hex');

/** One layer; `raw` for archives that no list of entries describes. */
const one = (entries: readonly FixtureEntry[]): FixtureImage => imageOf({ layers: [[root, ...entries]] });
const many = (...layers: (readonly FixtureEntry[])[]): FixtureImage =>
  imageOf({ layers: layers.map((entries, index) => (index === 0 ? [root, ...entries] : entries)) });

/** Layers from archives made by others. */
export function imageOfArchives(archives: readonly Buffer[]): FixtureImage {
  const queue = [...archives];
  // The fixture packs lists of entries; here each stands for an archive that is there already.
  return imageOf({ layers: archives.map(() => []), pack: () => queue.shift() ?? Buffer.alloc(1024) });
}

const everyKind: readonly FixtureEntry[] = [
  dir('d', { mode: 0o2775, gid: 50, mtime: 1_000_000_000 }),
  { name: 'd/file', data: 'content', mode: 0o640, uid: 33, gid: 34 },
  { name: 'd/empty' },
  { name: 'd/setuid', data: '#!', mode: 0o4755 },
  { name: 'd/setgid', data: '#!', mode: 0o2755, uid: 7, gid: 8 },
  { name: 'sticky/', flag: '5', mode: 0o1777 },
  { name: 'link', flag: '2', link: 'd/file', uid: 9, gid: 9 },
  { name: 'dangling', flag: '2', link: '../../outside' },
  { name: 'absolute', flag: '2', link: '/etc/passwd' },
  { name: 'hard', flag: '1', link: 'd/file' },
  { name: 'd/hard-too', flag: '1', link: './d/file' },
  { name: 'hard-link-to-link', flag: '1', link: 'link' },
  { name: 'null', flag: '3', device: [1, 3], mode: 0o666 },
  { name: 'loop', flag: '4', device: [7, 300], mode: 0o660, gid: 6 },
  { name: 'pipe', flag: '6', mode: 0o622 },
];

const tree127: (readonly FixtureEntry[])[] = Array.from({ length: 127 }, (_, n) => [
  ...(n === 0 ? [dir('own'), dir('shared', { mtime: 5 })] : []),
  { name: `own/${n}`, data: String(n), mtime: n },
  { name: 'shared/last', data: `layer ${n}`, uid: n },
  ...(n % 10 === 9 ? [{ name: `own/.wh.${n - 5}` }] : []),
]);

const meaningless: readonly FixtureEntry[] = [
  { name: 'f', pax: { uname: 'nobody', 'VENDOR.x': 'y', atime: '5', ctime: '6' } },
];

/** Shapes that are made here, entry by entry. */
export function madeHere(zstd: (tar: Buffer) => Buffer): Shape[] {
  const story = many(
    [
      dir('etc'),
      { name: 'etc/a', data: '1' },
      { name: 'etc/b', data: '2' },
      dir('var'),
      { name: 'var/x' },
      dir('usr'),
      { name: 'usr/y' },
    ],
    [dir('etc', { mode: 0o700 }), { name: 'etc/.wh.a' }, { name: '.wh.var' }, { name: 'etc/b', data: 'new' }],
    [dir('var', { uid: 3 }), { name: 'var/z' }, dir('usr'), { name: 'usr/.wh..wh..opq' }, { name: 'usr/w' }],
  );
  const layers = [
    [root, ...everyKind],
    [{ name: 'd/.wh.empty' }, { name: 'top', data: 'top' }],
  ];
  return [
    { what: 'every kind of file', image: one(everyKind) },
    {
      what: 'layers that are not compressed',
      image: imageOf({ layers }),
      pushed: imageOf({ layers, compress: (tar) => tar }),
    },
    { what: 'zstd layers', image: imageOf({ layers }), pushed: imageOf({ layers, compress: zstd }) },
    { what: 'Docker schema 2', image: imageOf({ layers }), pushed: imageOf({ layers, docker: true }) },
    { what: 'whiteouts, opaque directories, and what comes after them', image: story },
    {
      what: 'whiteouts beside what they do not hide',
      image: many(
        [
          dir('d'),
          { name: 'd/a', data: '1' },
          { name: 'd/b' },
          dir('e'),
          { name: 'e/f' },
          dir('e/g'),
          { name: 'e/g/h' },
        ],
        [
          { name: 'd/.wh.a' },
          { name: 'd/a', data: 'again' },
          { name: 'e/.wh..wh..opq' },
          dir('e/g'),
          { name: 'e/g/i' },
          { name: '.wh.nothing' },
        ],
        [{ name: 'e/.wh.g' }, { name: 'd/.wh.b' }],
      ),
    },
    {
      what: 'an opaque whiteout after the entries of its directory',
      image: many([dir('o'), { name: 'o/old' }], [dir('o'), { name: 'o/new' }, { name: 'o/.wh..wh..opq' }]),
    },
    {
      what: 'hard links to files of the layers below',
      image: many(
        [
          dir('d', { mode: 0o2750, gid: 9 }),
          { name: 'd/file', data: 'content', mode: 0o4640, uid: 33, gid: 34, pax: note('below') },
          { name: 'd/other', data: 'other' },
          { name: 'd/ping', data: 'x', pax: { 'SCHILY.xattr.security.capability': CAPABILITY } },
          { name: 'd/link', flag: '2', link: 'file', uid: 9 },
          { name: 'd/pipe', flag: '6' },
        ],
        [{ name: 'new', data: 'new' }],
        [
          dir('d', { mode: 0o2750, gid: 9 }),
          ...['file', 'ping', 'link', 'pipe'].map((name) => ({ name: `hard-${name}`, flag: '1', link: `d/${name}` })),
          { name: 'again', flag: '1', link: 'hard-file' },
          { name: 'gone', flag: '1', link: 'd/other' },
          { name: 'd/.wh.other' },
        ],
      ),
    },
    { what: '127 layers', image: many(...tree127) },
    {
      what: 'long names and links in PAX headers',
      image: one([
        dir('short', { pax: { path: `${'d'.repeat(120)}/` } }),
        {
          name: 'cut',
          data: 'x',
          pax: { path: `${'d'.repeat(120)}/${'f'.repeat(250)}`, mtime: '1500000000.123456789' },
        },
        { name: 'lcut', flag: '2', link: 'cut', pax: { linkpath: `/${'t'.repeat(300)}` } },
        { name: 'hcut', flag: '1', link: 'cut', pax: { linkpath: `${'d'.repeat(120)}/${'f'.repeat(250)}` } },
      ]),
    },
    {
      what: 'long names and links in GNU headers',
      image: imageOfArchives([
        Buffer.concat([
          tarEntry(root),
          tarEntry({ name: '././@LongLink', flag: 'L', data: `${'n'.repeat(150)}\0` }),
          tarEntry({ name: 'n'.repeat(99), data: 'long' }),
          tarEntry({ name: '././@LongLink', flag: 'K', data: `${'n'.repeat(150)}\0` }),
          tarEntry({ name: '././@LongLink', flag: 'L', data: `${'l'.repeat(160)}\0` }),
          tarOf([{ name: 'l', flag: '1', link: 'n' }]),
        ]),
      ]),
    },
    {
      what: 'ids beyond 16 and 21 bits',
      image: one([
        { name: 'a', uid: 65_536, gid: 70_000 },
        { name: 'b', uid: 2_097_152, gid: 3_000_000_000 },
        { name: 'c', pax: { uid: '4294967294', gid: '2147483648' } },
        dir('d', { uid: 100_000, gid: 2_097_151 }),
        { name: 'e', flag: '2', link: 'a', uid: 1_000_000_000, gid: 1 },
      ]),
    },
    {
      what: 'names that come twice',
      image: one([
        { name: 'x', data: 'first', mode: 0o600 },
        { name: 'x', data: 'second' },
        { name: 'l', flag: '2', link: 'x' },
        { name: 'l', flag: '2', link: 'y' },
        dir('d', { mode: 0o700, mtime: 1 }),
        { name: 'd/in' },
        dir('d', { mode: 0o711, mtime: 2 }),
        { name: 'f', data: 'file' },
        { name: 'f', flag: '2', link: 'x' },
        { name: 'h', flag: '1', link: 'x' },
        { name: 'h', data: 'own again' },
      ]),
    },
    {
      what: 'parents that their layer does not list',
      image: many(
        [
          dir('home', { mode: 0o751, uid: 7, mtime: 11, pax: note('home') }),
          dir('home/me', { mode: 0o700, uid: 8, mtime: 12 }),
        ],
        [{ name: 'home/me/x', data: 'x' }],
        [{ name: 'home/me/y', data: 'y' }, { name: 'home/me/deep/er/z' }],
      ),
      dated: { '/home/me': '12000000000', '/home/me/deep': '0', '/home/me/deep/er': '0' },
    },
    { what: 'empty layers between others', image: many([{ name: 'a' }], [], [{ name: 'b' }], [], []) },
    { what: 'nothing but empty layers', image: imageOf({ layers: [[], []] }), dated: { '': '0' } },
    {
      what: 'names that are not UTF-8',
      image: many(
        [
          { name: 'caf\xe9', data: 'x', pax: note('latin1') },
          dir('d\xfc', { uid: 5, mtime: 4 }),
          { name: 'd\xfc/gone\xff' },
          { name: 'd\xfc/null\xfe', flag: '3', device: [1, 3] },
          { name: 'l\xe4', flag: '2', link: 'caf\xe9' },
        ],
        [
          { name: 'd\xfc/.wh.gone\xff' },
          { name: 'd\xfc/new\xe0', flag: '6' },
          { name: 'h\xe9', data: 'h' },
          { name: 'i\xe9', flag: '1', link: 'h\xe9' },
        ],
      ),
    },
    {
      what: 'extended attributes',
      image: many(
        [
          { name: 'ping', data: 'elf', mode: 0o755, pax: { 'SCHILY.xattr.security.capability': CAPABILITY } },
          {
            name: 'noted',
            pax: {
              ...note('hi=there'),
              'SCHILY.xattr.user.empty': '',
              'SCHILY.xattr.user.bytes': Buffer.from([0, 255, 10]),
            },
          },
          dir('d', { pax: { ...note('dir'), 'SCHILY.xattr.trusted.test': 't' } }),
        ],
        [
          { name: 'd/below' },
          { name: 'ping', data: 'elf', mode: 0o755, uid: 3, pax: { 'SCHILY.xattr.security.capability': CAPABILITY } },
        ],
      ),
    },
    {
      what: 'files that become directories and the reverse',
      image: many(
        [
          { name: 'f', data: 'file' },
          dir('d'),
          { name: 'd/in' },
          { name: 'l', flag: '2', link: 'd' },
          dir('e'),
          { name: 'e/in' },
          { name: 'n', flag: '6' },
        ],
        [
          dir('f', { mtime: 3 }),
          { name: 'f/in' },
          { name: 'd', data: 'now a file' },
          dir('l', { mtime: 4 }),
          { name: 'l/in' },
          { name: 'e', flag: '2', link: 'd' },
          { name: 'n', data: 'n' },
        ],
        [{ name: 'f', flag: '2', link: 'd' }, dir('d', { mtime: 6 }), { name: 'd/new' }],
      ),
    },
    {
      what: 'times of directories and links',
      image: many(
        [
          dir('a', { mtime: 1 }),
          dir('a/b', { mtime: 2 }),
          { name: 'a/b/c', mtime: 0 },
          dir('late', { pax: { mtime: '1600000000.5' } }),
          { name: 'l', flag: '2', link: 'a', mtime: 77 },
        ],
        [
          { name: 'a/b/d', mtime: 2_200_000_000 },
          { name: 'a/.wh.nothing' },
          { name: 'late/x', pax: { mtime: '1.000000001' } },
        ],
      ),
    },
    {
      what: 'absolute names, and names with dots and slashes',
      image: one([
        dir('/abs'),
        { name: '/abs/f', data: '1' },
        { name: './abs//g' },
        { name: './abs/./h', flag: '1', link: '/abs/f' },
      ]),
    },
    {
      // umoci knows no global headers, which git writes and tar ignores.
      what: 'global headers and keys that mean nothing',
      image: one(meaningless),
      pushed: imageOfArchives([Buffer.concat([paxEntry({ comment: 'of git' }, 'g'), tarOf([root, ...meaningless])])]),
    },
  ];
}
