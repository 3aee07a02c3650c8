import { mkdir } from 'node:fs/promises';

import { describe, expect, it } from '@jest/globals';

import { mountOf, parseMountTable, readMountTable } from './mount-table.js';
import { MS } from './sys/calls.js';
import { mount, unmount } from './sys/sys.js';
import { useScratch } from './testing.js';

const scratch = useScratch('mount-table');

describe('parseMountTable', () => {
  it('reads points and propagation, whatever else is there', () => {
    const text = [
      '22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw',
      '23 22 0:5 / /a\\040b rw master:2 propagate_from:1 - tmpfs none rw',
      '24 22 0:6 /x /c rw - ext4 /dev/x shared:rw',
      '25 22 0:6 / /d rw shared:7 master:1 - ext4 /dev/y rw',
    ].join('\n');
    expect(parseMountTable(`${text}\n`)).toEqual([
      { mountPoint: '/', shared: true, slave: false },
      { mountPoint: '/a b', shared: false, slave: true },
      { mountPoint: '/c', shared: false, slave: false },
      { mountPoint: '/d', shared: true, slave: true },
    ]);
  });
});

describe('mountOf', () => {
  const entry = (mountPoint: string, shared = false) => ({ mountPoint, shared, slave: false });
  const table = [entry('/'), entry('/a'), entry('/a/b'), entry('/a', true)];

  it.each([
    ['/', table[0]],
    ['/x', table[0]],
    ['/ab', table[0]],
    ['/a/b/c', table[2]],
    ['/a/bc', table[3]],
    ['/a', table[3]],
  ])('finds the mount of %s', (path, found) => {
    expect(mountOf(table, path)).toBe(found);
  });

  it('finds real ones', async () => {
    const dir = scratch.path('a b');
    await mkdir(dir);
    await mount({ source: 'none', target: dir, type: 'tmpfs' });
    scratch.defer(() => unmount(dir));
    const SHARED = 1 << 20;
    await mount({ source: 'none', target: dir, flags: SHARED });
    expect(mountOf(await readMountTable(), `${dir}/x`)).toEqual({ mountPoint: dir, shared: true, slave: false });
    await mount({ source: 'none', target: dir, flags: MS.PRIVATE });
    expect(mountOf(await readMountTable(), dir)).toEqual({ mountPoint: dir, shared: false, slave: false });
  });
});
