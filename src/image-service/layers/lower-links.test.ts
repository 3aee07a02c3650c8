import { existsSync, lstatSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { readXattrSync } from '../../base/sys/xattr.js';
import { tarOf, type FixtureEntry } from './tar-fixture.js';
import { UnpackScratch, type UnpackOptions } from './unpack-fixture.js';

let house: UnpackScratch;
beforeEach(() => {
  house = new UnpackScratch();
});
afterEach(() => house.remove());

const layer = (entries: readonly FixtureEntry[], options?: UnpackOptions): string =>
  house.unpack(tarOf(entries), options);
const dir = (name: string, more: Partial<FixtureEntry> = {}): FixtureEntry => ({ name, flag: '5', ...more });
const modeOf = (path: string): number => lstatSync(path).mode & 0o7777;
const isWhiteout = (path: string): boolean => lstatSync(path).isCharacterDevice() && lstatSync(path).rdev === 0;

describe('hard links to files of the layers below', () => {
  const hard = (name: string, link: string): FixtureEntry => ({ name, flag: '1', link });
  const pax = { 'SCHILY.xattr.user.note': 'n' };
  const base = (): string =>
    layer([
      dir('d', { mode: 0o750, uid: 3 }),
      { name: 'd/f', data: 'content', mode: 0o4755, uid: 5, gid: 6, mtime: 1_000_000_000, pax },
      { name: 'd/link', flag: '2', link: '/etc/passwd', uid: 7 },
      { name: 'd/pipe', flag: '6', mode: 0o622 },
      { name: 'd/null', flag: '3', device: [1, 3], mode: 0o640 },
      { name: 'through', flag: '2', link: 'd' },
    ]);
  const inode = (path: string): number => lstatSync(path).ino;
  const refusal = (entries: readonly FixtureEntry[], options: UnpackOptions): string => {
    try {
      layer(entries, options);
    } catch (error) {
      return (error as Error).message;
    }
    return 'none';
  };

  it('are copied up with all that they are', () => {
    const root = layer([hard('h', 'd/f'), hard('d/h', 'h'), hard('e/h', '/d/f')], { lowers: [base()] });
    const stats = lstatSync(join(root, 'h'));
    expect(readFileSync(join(root, 'h'), 'utf8')).toBe('content');
    expect([modeOf(join(root, 'h')), stats.uid, stats.gid, stats.mtimeMs]).toEqual([0o4755, 5, 6, 1e12]);
    expect(readXattrSync(join(root, 'h'), 'user.note')?.toString()).toBe('n');
    expect(stats.nlink).toBe(4);
    expect(['d/f', 'd/h', 'e/h'].map((name) => inode(join(root, name)))).toEqual(Array(3).fill(stats.ino));
    expect([modeOf(join(root, 'd')), lstatSync(join(root, 'd')).uid]).toEqual([0o750, 3]);
  });

  it('may be links, fifos and devices, which are not followed', () => {
    const root = layer([hard('l', 'd/link'), hard('p', 'd/pipe'), hard('n', 'd/null'), hard('l2', 'l')], {
      lowers: [base()],
    });
    expect([readlinkSync(join(root, 'l')), lstatSync(join(root, 'l')).uid]).toEqual(['/etc/passwd', 7]);
    expect(inode(join(root, 'l2'))).toBe(inode(join(root, 'd/link')));
    expect(lstatSync(join(root, 'p')).isFIFO()).toBe(true);
    expect([lstatSync(join(root, 'n')).rdev, modeOf(join(root, 'n'))]).toEqual([0x103, 0o640]);
  });

  it('are those of the topmost layer that has them', () => {
    const upper = layer([{ name: 'd/f', data: 'newer' }], { lowers: [base()] });
    expect(readFileSync(join(layer([hard('h', 'd/f')], { lowers: [upper, base()] }), 'h'), 'utf8')).toBe('newer');
  });

  it('stay where the file itself is replaced, hidden or no longer there', () => {
    const lowers = [base()];
    const replaced = layer([hard('h', 'd/f'), { name: 'd/f', data: 'new' }], { lowers });
    expect(['h', 'd/f'].map((name) => readFileSync(join(replaced, name), 'utf8'))).toEqual(['content', 'new']);
    const hidden = layer([hard('h', 'd/f'), { name: 'd/.wh.f' }], { lowers });
    expect([readFileSync(join(hidden, 'h'), 'utf8'), isWhiteout(join(hidden, 'd/f'))]).toEqual(['content', true]);
    const opaque = layer([hard('h', 'd/f'), { name: 'd/.wh..wh..opq' }], { lowers });
    expect([readFileSync(join(opaque, 'h'), 'utf8'), existsSync(join(opaque, 'd/f'))]).toEqual(['content', false]);
    const gone = layer([hard('h', 'd/f'), { name: 'h', data: 'other' }], { lowers });
    expect(['h', 'd/f'].map((name) => readFileSync(join(gone, name), 'utf8'))).toEqual(['other', 'content']);
  });

  it.each<[string, FixtureEntry[], RegExp]>([
    ['a file that no layer has', [hard('h', 'd/none')], /entry "h": the hard link's target "d\/none" is missing/],
    ['a directory', [hard('h', 'd')], /entry "h": the hard link's target "d" is a directory/],
    ['what a link leads to', [hard('h', 'through/f')], /entry "h": .* is missing/],
    ['a hidden file', [{ name: 'd/.wh.f' }, hard('h', 'd/f')], /entry "h": .* is missing/],
    ['a file in a hidden directory', [{ name: '.wh.d' }, hard('h', 'd/f')], /entry "h": .* is missing/],
    ['a file in an opaque directory', [{ name: 'd/.wh..wh..opq' }, hard('h', 'd/f')], /entry "h": .* is missing/],
    ['a file below what is no directory now', [{ name: 'd' }, hard('h', 'd/f')], /entry "h": .* no file of this layer/],
  ])('are refused for %s', (_, entries, said) => {
    expect(refusal(entries, { lowers: [base()] })).toMatch(said);
  });

  it('are refused for what a layer between hides', () => {
    const lowers = [layer([{ name: 'd/.wh.f' }]), base()];
    expect(refusal([hard('h', 'd/f')], { lowers })).toMatch(/is missing/);
    expect(refusal([hard('h', 'd/f')], { lowers: [layer([{ name: 'd', data: 'x' }]), base()] })).toMatch(/is missing/);
  });

  it('count as bytes of the layer', () => {
    expect(refusal([hard('h', 'd/f')], { lowers: [base()], maxBytes: 6 })).toMatch(/entry "h": .*limit on bytes/);
    expect(refusal([hard('h', 'd/f')], { lowers: [base()], maxBytes: 7 })).toBe('none');
  });
});
