import { existsSync, readFileSync, rmSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { until } from '../base/testing.js';
import { imageOf } from './image-fixture.js';
import { PullHouse, serveImage } from './pull-fixture.js';

const image = imageOf({
  layers: [
    [
      { name: 'd/', flag: '5' },
      { name: 'd/file', data: 'content' },
      { name: 'd/again', data: 'x' },
      { name: 'd/again' },
    ],
    [
      { name: 'e', data: 'e' },
      { name: 'hard', flag: '1', link: 'd/file' },
      { name: 'link', flag: '2', link: 'e' },
    ],
  ],
});
const other = imageOf({ layers: [[{ name: 'other' }]] });

let house: PullHouse;
let seen: string[];
beforeEach(async () => {
  seen = [];
  house = await new PullHouse().open();
  await house.registry('a.test', serveImage(image, seen));
  await house.registry('b.test', serveImage(other));
  for (const name of ['a.test/x', 'b.test/y']) await house.service.pull(name);
});
afterEach(() => house.close());

const layerOf = (file: string): string =>
  house
    .list('layers')
    .map((dir) => join(house.root, 'images/layers', dir))
    .find((dir) => existsSync(join(dir, file))) ?? '';
const mark = (): string => join(house.root, 'images-in-use');

const damages: [string, () => void, RegExp][] = [
  ['has lost a file', () => unlinkSync(join(layerOf('e'), 'e')), /^has 4 files and directories, not 5$/],
  ['has lost content', () => truncateSync(join(layerOf('e'), 'e'), 0), /^has 7 bytes in files, not 8$/],
  ['has a file that it had not', () => writeFileSync(join(layerOf('e'), 'new'), ''), /^has 6 files .* not 5$/],
  ['has lost a name of a file', () => unlinkSync(join(layerOf('e'), 'hard')), /has .* not/],
  ['is gone', () => rmSync(layerOf('e'), { recursive: true }), /ENOENT/],
];

describe('a check', () => {
  it('finds whole layers whole', async () => {
    expect(await house.service.check({ repair: true })).toEqual({ layers: 3, damaged: 0, images: [] });
  });

  it.each(damages)('finds an image one of whose layers %s, and repairs it', async (_, damage, why) => {
    damage();
    const { images } = await house.service.check({ repair: false });
    expect(images).toMatchObject([{ image: { id: image.id }, inUse: false, removed: false }]);
    expect(images[0]?.layers.map((layer) => layer.why)).toEqual([expect.stringMatching(why)]);
    expect((await house.service.check({ repair: true })).images).toMatchObject([{ removed: true }]);
    expect(house.service.list().map(({ id }) => id)).toEqual([other.id]);
    seen.length = 0;
    await house.service.pull('a.test/x');
    expect(seen.filter((url) => url.includes('/blobs/'))).toHaveLength(3);
    expect((await house.service.check({ repair: false })).damaged).toBe(0);
  });

  it('leaves what a container has', async () => {
    unlinkSync(join(layerOf('e'), 'e'));
    house.service.adopt('container', image.id);
    expect((await house.service.check({ repair: true })).images).toMatchObject([{ inUse: true, removed: false }]);
    expect(house.service.list()).toHaveLength(2);
  });
});

describe('after a start', () => {
  const startAgain = async (boot: string): Promise<void> => {
    await house.service.close();
    expect(existsSync(mark())).toBe(false);
    if (boot !== '') writeFileSync(mark(), boot);
    unlinkSync(join(layerOf('e'), 'e'));
    await house.open();
    await house.service.sweep();
    house.service.checkAfterCrash();
  };

  it('what a power failure has damaged is removed', async () => {
    await startAgain('another boot\n');
    await until(() => house.service.list().length === 1);
    expect(house.service.list().map(({ id }) => id)).toEqual([other.id]);
  });

  it.each([
    ['the daemon was stopped', ''],
    ['the daemon alone was killed', readFileSync('/proc/sys/kernel/random/boot_id', 'utf8')],
  ])('nothing is counted if %s', async (_, boot) => {
    await startAgain(boot);
    expect(readFileSync(mark(), 'utf8')).toBe(readFileSync('/proc/sys/kernel/random/boot_id', 'utf8'));
    await house.service.close();
    await house.open();
    expect(house.service.list()).toHaveLength(2);
  });
});
