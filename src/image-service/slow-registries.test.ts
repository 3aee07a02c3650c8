import type { RequestListener } from 'node:http';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { until } from '../base/testing.js';
import { imageOf, type FixtureImage } from './image-fixture.js';
import { hello, PullHouse, serveImage } from './pull-fixture.js';

let house: PullHouse;
beforeEach(async () => {
  house = await new PullHouse().open();
});
afterEach(() => house.close());

/** An image of layers that no other has. */
function image(name: string, layers: number): FixtureImage {
  return imageOf({ layers: Array.from({ length: layers }, (_, i) => [{ name: `${name}-${i}`, data: name }]) });
}

/** Serves an image whose layers begin and do not end; what was asked for is added to `seen`. */
function trickling(of: FixtureImage, seen: Set<string>): RequestListener {
  const layers = of.blobs.slice(1).map(({ digest }) => digest);
  const serve = serveImage(of);
  return (request, response) => {
    const layer = layers.find((digest) => request.url?.includes(digest));
    if (layer === undefined) {
      serve(request, response);
      return;
    }
    seen.add(layer);
    response.writeHead(200);
    const timer = setInterval(() => response.write('\x1f'), 50);
    response.on('close', () => clearInterval(timer));
  };
}

describe('registries that trickle', () => {
  it('hold up no pull from another one, and are told of', async () => {
    await house.open({ maxParallelLayers: 2, stallTimeoutMs: 3000, minRate: 1000 });
    const seen = new Set<string>();
    await house.registry('slow.test', trickling(image('slow', 5), seen));
    await house.registry('fast.test', serveImage(hello));
    const failed = house.failure('slow.test/image');
    await until(() => seen.size === 2);
    await house.service.pull('fast.test/image');
    expect(seen.size).toBe(2);
    const { code, message } = await failed;
    expect(code).toBe('unavailable');
    expect(message).toMatch(
      /pull slow\.test\/image:latest: blob \S+ layer sha256:[0-9a-f]{64}: http:\/\/127\.\S+ sends too slowly: \d+ bytes/,
    );
  });

  it('many at once neither', async () => {
    await house.open({ maxParallelLayers: 1, stallTimeoutMs: 60_000 });
    const seen = new Set<string>();
    const signal = new AbortController();
    const names = ['one', 'two', 'three', 'four'];
    for (const name of names) await house.registry(`${name}.test`, trickling(image(name, 2), seen));
    await house.registry('fast.test', serveImage(hello));
    const failed = names.map((name) => house.failure(`${name}.test/image`, { signal: signal.signal }));
    await house.service.pull('fast.test/image');
    await until(() => seen.size === names.length);
    signal.abort();
    for (const each of failed) expect((await each).code).toBe('cancelled');
  });
});

describe('pulls that share layers', () => {
  it('end, whoever unpacks which', async () => {
    const base = [{ name: 'base', data: 'base' }];
    const own = (name: string): FixtureImage =>
      imageOf({ layers: [base, ...Array.from({ length: 6 }, (_, i) => [{ name: `${name}-${i}` }])] });
    await house.open({ maxParallelLayers: 1 });
    const names = ['one', 'two', 'three', 'four'];
    for (const name of names) await house.registry(`${name}.test`, serveImage(own(name)));
    await Promise.all(names.map((name) => house.service.pull(`${name}.test/image`)));
    expect(house.service.list()).toHaveLength(4);
  });
});
