import { execFileSync } from 'node:child_process';
import {
  closeSync,
  ftruncateSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { paxEntry, tarOf } from './tar-fixture.js';
import { UnpackScratch, type UnpackOptions } from './unpack-fixture.js';

let house: UnpackScratch;
let scratch: string;

beforeEach(() => {
  house = new UnpackScratch();
  scratch = house.root;
});
afterEach(() => house.remove());

const unpack = (archive: Buffer, options?: UnpackOptions): string => house.unpack(archive, options);

describe('compared with GNU tar', () => {
  /** Type, mode, owner, size, time, link, device and content of every file below a directory. */
  const listing = (root: string): string =>
    execFileSync(
      'sh',
      [
        '-c',
        `cd "$1" && find . -printf '%p %y %m %U %G %n %T@ %l\\n' | sort && find . -type f -print0 | sort -z | xargs -0 sha256sum`,
        'sh',
        root,
      ],
      { encoding: 'utf8' },
    );

  it.each(['gnu', 'pax', 'ustar', 'v7'])('a tree of this machine comes out the same from a %s archive', (format) => {
    const theirs = join(scratch, 'theirs');
    mkdirSync(theirs);
    const file = join(scratch, 'a.tar');
    execFileSync('tar', [
      '-C',
      '/',
      `--format=${format}`,
      '-cf',
      file,
      'etc/alternatives',
      'etc/ssl',
      'etc/pam.d',
      'etc/shadow',
      'usr/bin/perl',
      'usr/bin/passwd',
      'etc',
    ]);
    execFileSync('tar', ['-C', theirs, '-xpf', file, '--numeric-owner', '--overwrite-dir']);
    const ours = unpack(readFileSync(file), { step: 100_000, maxEntries: 1e6 });
    // GNU tar dates what no entry describes (usr, usr/bin, the root) today.
    const strip = (text: string): string => text.replace(/^(\.|\.\/usr|\.\/usr\/bin) .*\n/gm, '');
    expect(strip(listing(ours))).toBe(strip(listing(theirs)));
  });

  it.each([
    ['gnu', []],
    ['pax', ['--sparse-version=0.0']],
    ['pax', ['--sparse-version=0.1']],
    ['pax', ['--sparse-version=1.0']],
  ])('sparse files come out the same from a %s archive %j, with their holes', (format, version) => {
    const source = join(scratch, 'source');
    mkdirSync(source);
    const name = `sparse-${'n'.repeat(120)}`;
    const fd = openSync(join(source, name), 'w');
    for (let part = 0; part < 60; part++) writeSync(fd, `part ${part} `.repeat(100 + part), part * 200_000);
    ftruncateSync(fd, 20_000_000);
    closeSync(fd);
    writeFileSync(join(source, 'all-hole'), '');
    truncateSync(join(source, 'all-hole'), 5_000_000);
    writeFileSync(join(source, 'plain'), 'after them');
    // GNU's own format has whole seconds.
    execFileSync('find', [source, '-exec', 'touch', '-d', '@1700000000', '{}', '+']);
    const file = join(scratch, 'a.tar');
    execFileSync('tar', ['-C', source, '--sparse', `--format=${format}`, ...version, '-cf', file, '.']);
    const archive = readFileSync(file);
    expect(archive.length).toBeLessThan(1_000_000);
    for (const step of [archive.length, 777]) {
      const ours = unpack(archive, { step });
      expect(listing(ours)).toBe(listing(source));
      expect(lstatSync(join(ours, name)).blocks * 512).toBeLessThan(2_000_000);
    }
    expect(() => unpack(archive, { maxBytes: 1_000_000 })).toThrow(/entry ".*": the files of the layer have more than/);
  });

  it('ignores a global header', () => {
    const root = unpack(Buffer.concat([paxEntry({ comment: 'x', path: 'no' }, 'g'), tarOf([{ name: 'yes' }])]));
    expect(readdirSync(root)).toEqual(['yes']);
  });
});
