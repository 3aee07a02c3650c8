import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import { describeError } from '../../base/errors.js';
import { readXattrsSync } from '../../base/sys/xattr.js';
import { paxEntry, tarOf, type FixtureEntry } from './tar-fixture.js';
import { TarReader, type TarEntry } from './tar-reader.js';
import { UnpackScratch, type UnpackOptions } from './unpack-fixture.js';

let house: UnpackScratch;
beforeEach(() => {
  house = new UnpackScratch();
});
afterEach(() => house.remove());

/** An access ACL (acl(5)) whose mask takes away what its group may. */
const ACL = Buffer.from('0200000001000700ffffffff04000700ffffffff10000500ffffffff20000500ffffffff', 'hex');
const name = fc.constantFrom('a', 'b', 'c', 'long-name-of-a-directory');
const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));
const entry: fc.Arbitrary<FixtureEntry> = fc.record(
  {
    name: fc.oneof(
      path,
      path.map((each) => each.replace(/[^/]+$/, '.wh.$&')),
      path.map((each) => `${each}/.wh..wh..opq`),
    ),
    flag: fc.constantFrom('0', '1', '5', '5', '5'),
    link: path,
    data: fc.constantFrom('', 'content'),
    mode: fc.constantFrom(0o755, 0o2775, 0o1777, 0o700),
    uid: fc.constantFrom(0, 4_000_000_000),
    mtime: fc.integer({ min: 0, max: 4_000_000_000 }),
    pax: fc.constantFrom<Record<string, string | Buffer>>(
      {},
      { 'SCHILY.xattr.user.one': 'one' },
      { 'SCHILY.xattr.user.two': 'two', mtime: '-1.5' },
      { 'SCHILY.xattr.system.posix_acl_default': ACL, 'SCHILY.xattr.system.posix_acl_access': ACL },
      { 'SCHILY.xattr.trusted.overlay.gantry': 'forged' },
    ),
  },
  { requiredKeys: ['name', 'flag', 'link', 'mtime'] },
);

/** All that can be told of a tree, but for the times of whiteouts, which are made as they come. */
function tell(root: string): string[] {
  return ['', ...(readdirSync(root, { recursive: true }) as string[])].sort().map((each) => {
    const file = join(root, each);
    const stats = lstatSync(file, { bigint: true });
    const { mode, uid, gid, mtimeNs, nlink } = stats;
    const content = stats.isFile() ? readFileSync(file, 'utf8') : stats.isSymbolicLink() ? readlinkSync(file) : '';
    const xattrs = [...readXattrsSync(file)].map(([key, value]) => `${key}=${value.toString('hex')}`).sort();
    const time = stats.isCharacterDevice() ? '' : mtimeNs;
    return [each, mode, uid, gid, time, stats.isDirectory() ? '' : nlink, content, ...xattrs].join(' ');
  });
}

function outcome(archive: Buffer, options: UnpackOptions): readonly string[] | string {
  try {
    return tell(house.unpack(archive, options));
  } catch (error) {
    return describeError(error).replace(/layer-\d+/g, 'layer');
  }
}

describe('directories that are noted on the disk', () => {
  it('come out as those in memory do, on layers below and as layers below', () => {
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 12 }), fc.array(entry, { maxLength: 12 }), (below, above) => {
        const directories = below.map((each) => ({
          ...each,
          flag: '5',
          data: '',
          name: each.name.replace(/\.wh\.+(wh\.\.opq)?/g, 'w'),
        }));
        const lowers = [house.unpack(tarOf(directories))];
        const noted = [house.unpack(tarOf(directories), { tree: { maxNodes: 0 } })];
        expect(tell(noted[0] ?? '')).toEqual(tell(lowers[0] ?? ''));
        const archive = tarOf(
          above.map((each) =>
            each.flag === '5'
              ? { ...each, data: '' }
              : { ...each, data: each.flag === '0' ? (each.data ?? '') : '', pax: {} },
          ),
        );
        const kept = outcome(archive, { lowers });
        for (const maxNodes of [0, 2]) expect(outcome(archive, { lowers: noted, tree: { maxNodes } })).toEqual(kept);
      }),
      { numRuns: 150 },
    );
  });
});

describe('what one layer may take', () => {
  const many = (count: number, make: (index: number) => FixtureEntry): FixtureEntry[] =>
    Array.from({ length: count }, (_, i) => make(i));
  const refused = (entries: readonly FixtureEntry[], options: UnpackOptions = {}): string =>
    outcome(tarOf(entries), options) as string;

  it.each([
    ['levels', [{ name: 'x', flag: '5', pax: { path: 'd/'.repeat(257) } }], /257 levels deep, more than 256/],
    ['a name', [{ name: 'x', pax: { path: 'x/'.repeat(2048) } }], /the name has 4096 bytes, more than 4095/],
    ['a link target', [{ name: 'x', flag: '2', pax: { linkpath: 'x'.repeat(4096) } }], /link target has 4096 bytes/],
    [
      'a directory with a link target',
      [{ name: 'x', flag: '5', pax: { linkpath: 'x'.repeat(4096) } }],
      /link target has/,
    ],
    ['an attribute', [{ name: 'x', pax: { 'SCHILY.xattr.user.a': 'x'.repeat(65_537) } }], /"user.a" has 65537 bytes/],
    ["an attribute's name", [{ name: 'x', pax: { [`SCHILY.xattr.${'u'.repeat(256)}`]: 'x' } }], /name has 256 bytes/],
  ] satisfies [string, FixtureEntry[], RegExp][])('is bounded: %s', (_, entries, says) => {
    expect(refused(entries)).toMatch(says);
  });

  it('is bounded in all: headers before an entry, attributes, directories, questions below', () => {
    const headers = (count: number, bytes: number): Buffer =>
      Buffer.concat([
        ...many(count, () => ({ name: '' })).map(() => paxEntry({ comment: 'x'.repeat(bytes) })),
        tarOf([{ name: 'x' }]),
      ]);
    expect(outcome(headers(33, 1), {})).toMatch(/more than 32 extended headers/);
    expect(outcome(headers(3, 400_000), {})).toMatch(/several of as many together/);
    expect(outcome(headers(2, 400_000), {})).toHaveLength(2);
    expect(
      refused(
        many(3, (i) => ({ name: 'f', pax: { path: `${i}/a/b/c/f` } })),
        { maxEntries: 9 },
      ),
    ).toMatch(/more than 9 directories/);
    const lowers = Array.from({ length: 5 }, () => house.unpack(tarOf([{ name: 'a/b/f' }])));
    expect(refused([{ name: 'a/b/g' }], { lowers, tree: { maxLookups: 9 } })).toMatch(/leaves too much to those below/);
    expect(outcome(tarOf([{ name: 'a/b/g' }]), { lowers, tree: { maxLookups: 10 } })).toHaveLength(4);
  });

  it('is bounded for attributes of all entries together', () => {
    const reader = new TarReader(
      { entry: () => undefined, data: () => undefined, entryEnd: () => undefined },
      { maxEntries: 1e6, maxBytes: 1e12 },
    );
    const archive = tarOf(
      many(1, () => ({ name: 'd', flag: '5', pax: { 'SCHILY.xattr.user.a': 'x'.repeat(60_000) } })),
    ).subarray(0, -1024);
    let pushed = 0;
    const push = (): void => {
      for (; pushed < 2000; pushed++) reader.push(archive);
    };
    expect(push).toThrow(/the layer has more than 67108864 bytes of extended attributes/);
    expect(pushed).toBe(Math.floor((64 << 20) / 60_006));
  });

  it('leaves nothing of global headers', () => {
    const entries: TarEntry[] = [];
    const reader = new TarReader(
      { entry: (each) => entries.push(each), data: () => undefined, entryEnd: () => undefined },
      { maxEntries: 1e6, maxBytes: 1e12 },
    );
    const global = paxEntry({ path: 'other', comment: 'x'.repeat(3 << 20) }, 'g');
    for (let i = 0; i < 40; i++) reader.push(global);
    reader.push(tarOf([{ name: 'own' }]));
    expect(entries.map((each) => each.name)).toEqual(['own']);
  });
});
