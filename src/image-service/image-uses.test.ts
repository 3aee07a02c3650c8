import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { until } from '../base/testing.js';
import { unmount } from '../base/sys/sys.js';
import { imageOf, writeLayout } from './image-fixture.js';
import { PullHouse } from './pull-fixture.js';

const image = imageOf({ layers: [[{ name: 'f', data: 'below' }]] });
const unused = imageOf({ layers: [[{ name: 'unused' }]] });

let house: PullHouse;
let layouts: number;
beforeEach(async () => {
  layouts = 0;
  house = await new PullHouse().open();
  await importBoth();
});
afterEach(async () => {
  await unmount(target(), { detach: true });
  await house.close();
});

const target = (): string => join(house.root, 'box', 'rootfs');
const place = () => ({ owner: 'box', target: target() });
const file = (): string => readFileSync(join(target(), 'f'), 'utf8');

async function importBoth(): Promise<void> {
  const layout = join(house.root, `layout-${layouts++}`);
  mkdirSync(layout);
  writeLayout(layout, { 'example.test/x:v1': image, 'example.test/unused:v1': unused });
  await house.service.importLayout(layout);
}

/** The layer of `image` is 1, that of `unused` is 2. */
async function mounted(writable = 'box'): Promise<void> {
  await house.service.mountRootfs({ imageId: image.id, ...place(), writable: join(house.root, writable) });
}

const spoil = (directory: string): void => {
  for (const name of house.list(directory)) writeFileSync(join(house.root, 'images', directory, name), '{"half');
};

async function restart({ owners = [], adopt = true }: { owners?: string[]; adopt?: boolean } = {}): Promise<void> {
  await house.open();
  if (adopt) house.service.adopt('box', image.id);
  await house.service.sweep(owners);
}

/** What a close waits for is done then. */
async function layersAfterClose(): Promise<string[]> {
  await house.service.close();
  return house.list('layers');
}

describe('a layer below a container', () => {
  it('stays while that is there, though the record of the layer is damaged', async () => {
    await mounted();
    spoil('layer-records');
    await restart();
    expect(house.service.list()).toEqual([]);
    await until(() => !house.list('layers').includes('2'));
    expect([house.list('layers'), file()]).toEqual([['1'], 'below']);
    await house.service.unmountRootfs(place());
    expect(await layersAfterClose()).toEqual([]);
  });

  it('stays when its image was pulled again, beside that one', async () => {
    await mounted();
    spoil('layer-records');
    await restart();
    await importBoth();
    await restart();
    expect([house.list('layers').length, file()]).toEqual([3, 'below']);
    await house.service.unmountRootfs(place());
    expect(await layersAfterClose()).toHaveLength(2);
  });

  it.each([
    ['its image is damaged', 'records', {}],
    ['nobody adopts it, but its owner is there', 'records', { adopt: false, owners: ['box'] }],
    ['nobody knows its owner, but it is mounted', 'layer-records', { adopt: false }],
  ])('stays where %s', async (_, damaged, how) => {
    await mounted();
    await house.service.close();
    spoil(damaged);
    await restart(how);
    await house.service.prune();
    await until(() => !house.list('layers').includes('2'));
    expect([house.list('layers'), file()]).toEqual([['1'], 'below']);
    await house.service.unmountRootfs(place());
    expect(await layersAfterClose()).toEqual([]);
  });

  it('stays with all others where it is not known which they are', async () => {
    await mounted();
    spoil('uses');
    spoil('records');
    await restart();
    await house.service.prune();
    expect([house.list('layers'), file()]).toEqual([['1', '2'], 'below']);
    await house.service.unmountRootfs(place());
    expect(await layersAfterClose()).toEqual([]);
  });
});

describe('a directory of which no record tells', () => {
  it('is deleted once it is known who uses what, and not before', async () => {
    await house.service.close();
    spoil('layer-records');
    await house.open();
    expect(house.list('layers')).toEqual(['1', '2']);
    await house.service.sweep();
    await until(() => house.list('layers').length === 0);
  });

  it('has a number that no other is given', async () => {
    await mounted();
    spoil('layer-records');
    await restart();
    await importBoth();
    expect(readdirSync(join(house.root, 'images', 'layers')).sort()).toEqual(['1', '3', '4']);
  });
});

describe('notes of uses', () => {
  it('are gone with the use, or when the owner is gone', async () => {
    await mounted();
    expect(house.list('uses')).toEqual(['box.json']);
    await house.service.unmountRootfs(place());
    expect(house.list('uses')).toEqual([]);
    await mounted('other');
    await unmount(target());
    await restart({ adopt: false });
    expect(house.list('uses')).toEqual([]);
  });
});
