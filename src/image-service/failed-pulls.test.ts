import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { until } from '../base/testing.js';
import { imageOf, type Blob } from './image-fixture.js';
import { PullHouse, serveImage } from './pull-fixture.js';

const image = imageOf({ layers: [[{ name: 'a', data: 'a' }], [{ name: 'b', data: 'b' }], [{ name: 'c', data: 'c' }]] });
const [, , , last] = image.blobs as [Blob, Blob, Blob, Blob];

let house: PullHouse;
let seen: string[];
let down: boolean;

beforeEach(async () => {
  [seen, down] = [[], true];
  house = await new PullHouse().open();
  await house.registry('a.test', serve);
});
afterEach(() => house.close());

/** Has the last layer only while it is not down, and answers for it when the others are unpacked. */
const serve: RequestListener = (request, response) => {
  const refuse = (): void => {
    if (house.list('layers').length < 2) setTimeout(refuse, 5);
    else response.writeHead(503).end();
  };
  if (down && request.url?.includes(last.digest) === true) refuse();
  else serveImage(image, seen)(request, response);
};
const layersAsked = (): string[] =>
  image.blobs.slice(1).flatMap(({ digest }) => (seen.some((url) => url.includes(digest)) ? [digest] : []));
const stored = (): number[] => ['layers', 'layer-records', 'records'].map((name) => house.list(name).length);
const restart = async (): Promise<void> => {
  await house.open();
  await house.service.sweep();
};

async function failOnce(): Promise<void> {
  expect((await house.failure('a.test/x')).code).toBe('unavailable');
  [seen, down] = [[], false];
}

describe('the finished layers of a pull that failed', () => {
  it('are not fetched again, and belong to the image then', async () => {
    await failOnce();
    expect((await house.service.pull('a.test/x')).id).toBe(image.id);
    expect(layersAsked()).toEqual([last.digest]);
    await house.service.remove(image.id);
    expect(stored()).toEqual([0, 0, 0]);
  });

  it('outlive a restart', async () => {
    await failOnce();
    await restart();
    expect(stored()).toEqual([2, 2, 0]);
    expect((await house.service.pull('a.test/x')).id).toBe(image.id);
    expect(layersAsked()).toEqual([last.digest]);
    await restart();
    await house.service.remove(image.id);
    expect(stored()).toEqual([0, 0, 0]);
  });

  it('wait for an hour, also where the clock was set back', async () => {
    for (const age of [3_500_000, 3_700_000, -3_700_000]) {
      down = true;
      await failOnce();
      await house.service.close();
      for (const file of house.list('layer-records')) setAge(join(house.root, 'images/layer-records', file), age);
      await restart();
      expect(stored()).toEqual(age === 3_500_000 ? [2, 2, 0] : [0, 0, 0]);
      await house.service.prune();
    }
  });

  it('go when other images are pruned', async () => {
    await failOnce();
    await house.service.prune();
    expect(house.list('layers')).toEqual([]);
  });

  it('do not stay where the image is what is wrong', async () => {
    const broken = imageOf({ layers: [[{ name: 'a' }], [{ name: '../x' }]] });
    await house.registry('b.test', serveImage(broken));
    expect((await house.failure('b.test/x')).code).toBe('data-loss');
    await restart();
    // What has no record is deleted in the background.
    await until(() => house.list('layers').length === 0);
    expect(stored()).toEqual([0, 0, 0]);
    expect(existsSync(join(house.root, 'quarantine'))).toBe(false);
  });
});

function setAge(path: string, ms: number): void {
  const record = JSON.parse(readFileSync(path, 'utf8')) as object;
  writeFileSync(path, JSON.stringify({ ...record, unclaimedSince: Date.now() - ms }));
}
