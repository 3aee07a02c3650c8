import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import { codeOf } from '../../base/errors.js';
import { Decompressor } from './decompress.js';
import { tarOf, withChecksum, type FixtureEntry } from './tar-fixture.js';
import { UnpackScratch } from './unpack-fixture.js';

const RUNS = process.env['GANTRY_E2E_FULL'] === '1' ? 1000 : 60;
/** What a broken archive may be refused with; anything else is a mistake of ours. */
const REFUSED = ['data-loss', 'resource-exhausted'];

let house: UnpackScratch;
beforeEach(() => {
  house = new UnpackScratch();
});
afterEach(() => house.remove());

const binary = fc.integer({ min: 1, max: 255 }).filter((byte) => byte !== 0x2f);
const component = fc
  .array(binary, { minLength: 1, maxLength: 12 })
  .map((bytes) => String.fromCharCode(...bytes))
  // GNU tar takes quoting for what it is not, and knows no whiteouts.
  .filter((name) => !/^\.{1,2}$/.test(name) && !name.startsWith('.wh.') && !name.includes('\\'));
const attributes = fc.record({
  mode: fc.integer({ min: 0, max: 0o7777 }),
  uid: fc.constantFrom(0, 1, 65_535, 65_536, 2_097_152, 4_000_000_000),
  gid: fc.constantFrom(0, 7, 3_000_000),
  mtime: fc.integer({ min: 0, max: 4_000_000_000 }),
});
const content = fc.uint8Array({ maxLength: 3000 }).map((bytes) => Buffer.from(bytes));

type Leaf = Partial<FixtureEntry>;
const leaf: fc.Arbitrary<Leaf> = fc.oneof(
  fc.record({ flag: fc.constant('0'), data: content }),
  fc.record({ flag: fc.constant('2'), link: component }),
  fc.constant({ flag: '6' }),
  fc.record({
    flag: fc.constant('3'),
    device: fc.tuple(fc.integer({ min: 1, max: 4095 }), fc.integer({ min: 0, max: 255 })),
  }),
);

/** Trees: every path once, each directory listed before what is in it. */
const tree: fc.Arbitrary<FixtureEntry[]> = fc
  .array(fc.tuple(fc.array(component, { minLength: 1, maxLength: 4 }), leaf, attributes), { maxLength: 12 })
  .chain((files) => attributes.map((directories) => entriesOf(files, directories)));

function entriesOf(files: [string[], Leaf, object][], directories: object): FixtureEntry[] {
  const found = new Map<string, FixtureEntry>([['.', { name: './', flag: '5', ...directories }]]);
  for (const [parts, what, more] of files) {
    const paths = parts.map((_, index) => `./${parts.slice(0, index + 1).join('/')}`);
    const parents = paths.slice(0, -1);
    const path = paths.at(-1) ?? '';
    if (found.has(path) || parents.some((parent) => (found.get(parent)?.flag ?? '5') !== '5')) continue;
    for (const parent of parents)
      if (!found.has(parent)) found.set(parent, { name: parent, flag: '5', ...directories });
    found.set(path, { ...what, ...more, name: path });
    if (what.flag === '0') found.set(`${path}~`, { name: `${path}~`, flag: '1', link: path, ...more });
  }
  return [...found.values()];
}

function listing(root: string): string {
  const script = `cd "$1" && find . -printf '%p %y %m %U %G %n %T@ %l\\0' | sort -z && find . -type f -print0 | sort -z | xargs -0r sha256sum`;
  return execFileSync('sh', ['-c', script, 'sh', root], {
    encoding: 'latin1',
    env: { LC_ALL: 'C', PATH: process.env['PATH'] },
  });
}

/** Entries of names and types that could do harm together. */
const nasty = fc.constantFrom(
  '..',
  '.',
  '',
  'a',
  'b',
  'l',
  '.wh.a',
  '.wh.',
  '.wh...',
  '.wh..wh..opq',
  '.wh..wh.x',
  'canary',
  'c\xff',
  'x'.repeat(256),
);
const nastyPath = fc.array(nasty, { maxLength: 5 }).map((parts) => parts.join('/'));
const nastyEntry: fc.Arbitrary<FixtureEntry> = fc.record(
  {
    name: nastyPath,
    flag: fc.constantFrom('0', '1', '2', '3', '5', '6', '7', 'S', 'x', 'L', 'K', 'g', 'V'),
    link: fc.oneof(nastyPath, fc.constantFrom('/', '..', '../..', '../canary', '/canary')),
    data: fc.oneof(content, fc.constantFrom('12 path=../x\n', '14 size=99999\n', '0'.repeat(512))),
    mode: fc.integer({ min: 0, max: 0o7777 }),
    pax: fc.constantFrom(
      {},
      { path: '../canary' },
      { 'GNU.sparse.major': '1' },
      { 'GNU.sparse.map': '0,1', 'GNU.sparse.size': '5' },
      { linkpath: '../canary/secret' },
    ),
  },
  { requiredKeys: ['name', 'flag'] },
);

/** Unpacks beside a canary, which must stay as it is whatever the archive holds. */
function harmless(archive: Buffer, step: number): void {
  const canary = join(house.root, 'canary');
  mkdirSync(canary, { recursive: true });
  writeFileSync(join(canary, 'secret'), 'unharmed');
  try {
    house.unpack(archive, { step, maxEntries: 100, maxBytes: 10_000_000 });
  } catch (error) {
    expect(REFUSED).toContain(codeOf(error));
  }
  expect(readdirSync(house.root).filter((name) => !name.startsWith('layer-'))).toEqual(['canary']);
  expect([readdirSync(canary), readFileSync(join(canary, 'secret'), 'utf8')]).toEqual([['secret'], 'unharmed']);
}

describe('any archive', () => {
  it('that is sound comes out as from GNU tar', () => {
    fc.assert(
      fc.property(tree, fc.integer({ min: 1, max: 5000 }), (entries, step) => {
        const archive = tarOf(entries);
        const file = join(house.root, 'a.tar');
        const theirs = join(house.root, `theirs-${readdirSync(house.root).length}`);
        writeFileSync(file, archive);
        mkdirSync(theirs);
        execFileSync('tar', [
          '-C',
          theirs,
          '-xpf',
          file,
          '--numeric-owner',
          '--same-owner',
          '--delay-directory-restore',
          '--warning=no-timestamp',
        ]);
        expect(listing(house.unpack(archive, { step }))).toBe(listing(theirs));
      }),
      { numRuns: Math.min(RUNS, 100) },
    );
  });

  it('of hostile names and types writes nothing outside', () => {
    fc.assert(
      fc.property(fc.array(nastyEntry, { maxLength: 12 }), fc.integer({ min: 1, max: 3000 }), (entries, step) =>
        harmless(tarOf(entries), step),
      ),
      { numRuns: 10 * RUNS },
    );
  });

  it('that was damaged is refused or unpacked, and nothing else', () => {
    const damage = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(tree, damage, fc.boolean(), (entries, changes, mended) => {
        const archive = tarOf(entries);
        for (const [at, byte] of changes) archive[at % archive.length] = byte;
        // With right checksums damage gets further.
        if (mended) for (let at = 0; at + 512 <= archive.length; at += 512) mendHeader(archive.subarray(at, at + 512));
        harmless(
          archive.subarray(0, archive.length - ((changes[0]?.[0] ?? 0) % 3) * 100),
          1 + ((changes[0]?.[0] ?? 0) % 2000),
        );
      }),
      { numRuns: 5 * RUNS },
    );
  });

  it('of nothing but chance is refused', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 4000 }), fc.integer({ min: 1, max: 600 }), (bytes, step) => {
        const block = Buffer.from(bytes);
        if (block.length >= 512) withChecksum(block.subarray(0, 512));
        harmless(block, step);
      }),
      { numRuns: 5 * RUNS },
    );
  });

  it('that comes compressed and damaged ends in an error or the archive', async () => {
    await fc.assert(
      fc.asyncProperty(tree, fc.nat(), fc.integer({ min: 0, max: 255 }), async (entries, at, byte) => {
        const archive = tarOf(entries);
        const packed = gzipSync(archive);
        packed[at % packed.length] = byte;
        try {
          const plain = await decompressed(packed, 1 + (at % 500));
          // What gzip does not protect: its own header.
          expect(plain.equals(archive) || at % packed.length < 10).toBe(true);
        } catch (error) {
          expect(codeOf(error)).toBe('data-loss');
        }
      }),
      { numRuns: RUNS },
    );
  });

  it('with links in it keeps them as they are', () => {
    fc.assert(
      fc.property(component, fc.array(component, { minLength: 1, maxLength: 8 }), (name, target) => {
        const link = `../${target.join('/')}`.slice(0, 99);
        const root = house.unpack(tarOf([{ name, flag: '2', link }]));
        const path = Buffer.concat([Buffer.from(`${root}/`), Buffer.from(name, 'latin1')]);
        expect(readlinkSync(path, { encoding: 'buffer' }).toString('latin1')).toBe(link);
      }),
      { numRuns: RUNS },
    );
  });
});

async function decompressed(packed: Buffer, step: number): Promise<Buffer> {
  const out: Buffer[] = [];
  const decompressor = new Decompressor((plain) => out.push(Buffer.from(plain)));
  try {
    for (let at = 0; at < packed.length; at += step) await decompressor.push(packed.subarray(at, at + step));
    await decompressor.end();
  } finally {
    decompressor.close();
  }
  return Buffer.concat(out);
}

/** Gives a block that looks like a header the checksum that it should have. */
function mendHeader(block: Buffer): void {
  if (block.toString('latin1', 257, 262) === 'ustar') withChecksum(block);
}
