import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { RequestListener, ServerResponse } from 'node:http';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { until } from '../base/testing.js';
import { imageOf, type Blob } from './image-fixture.js';
import { PullHouse, serveImage } from './pull-fixture.js';

const image = imageOf({
  layers: [[{ name: 'a', data: 'a' }], [{ name: 'b', data: 'b' }], [{ name: 'c', data: 'c'.repeat(10_000) }]],
});
const [, , , last] = image.blobs as [Blob, Blob, Blob, Blob];

/** The server waits for what the pull has unpacked before. */
const PATIENT = { stallTimeoutMs: 20_000 };

let house: PullHouse;
let seen: string[];
/** What becomes of requests for the last layer, when the others are unpacked; undefined while the registry is well. */
let trouble: ((response: ServerResponse) => void) | undefined;

const unavailable = (response: ServerResponse): void => void response.writeHead(503).end();

beforeEach(async () => {
  [seen, trouble] = [[], unavailable];
  house = await new PullHouse().open(PATIENT);
  await house.registry('a.test', serve);
});
afterEach(() => house.close());

const serve: RequestListener = (request, response) => {
  const answer = (): void => {
    if (house.list('layers').length < 2) setTimeout(answer, 5);
    else if (trouble === undefined) serveImage(image, seen)(request, response);
    else trouble(response);
  };
  if (trouble !== undefined && request.url?.includes(last.digest) === true) answer();
  else serveImage(image, seen)(request, response);
};
const layersAsked = (): string[] =>
  image.blobs.slice(1).flatMap(({ digest }) => (seen.some((url) => url.includes(digest)) ? [digest] : []));
const stored = (): number[] => ['layers', 'layer-records', 'records'].map((name) => house.list(name).length);
const noted = (): string[] => house.list('unsynced-layers').filter((name) => name.endsWith('.json'));
const restart = async (): Promise<void> => {
  await house.open(PATIENT);
  await house.service.sweep();
};

async function failOnce(code = 'unavailable'): Promise<void> {
  expect((await house.failure('a.test/x')).code).toBe(code);
  [seen, trouble] = [[], undefined];
}

async function succeedWithLast(): Promise<void> {
  expect((await house.service.pull('a.test/x')).id).toBe(image.id);
  expect(layersAsked()).toEqual([last.digest]);
}

describe('the finished layers of a pull that failed', () => {
  it('are not fetched again, and belong to the image then', async () => {
    await failOnce();
    await succeedWithLast();
    await house.service.remove(image.id);
    expect(stored()).toEqual([0, 0, 0]);
  });

  it.each([
    ['too many requests', 'resource-exhausted', (response) => response.writeHead(429).end()],
    ['wrong content', 'data-loss', (response) => response.writeHead(200).end('x'.repeat(last.size))],
    ['a page', 'data-loss', (response) => response.writeHead(200).end('<html>')],
    ['a layer that is gone', 'not-found', (response) => response.writeHead(404).end()],
    ['credentials that are over', 'unauthenticated', (response) => response.writeHead(401).end()],
  ] as [string, string, (response: ServerResponse) => void][])(
    'are not fetched again after %s',
    async (_, code, how) => {
      trouble = how;
      await failOnce(code);
      await restart();
      await succeedWithLast();
    },
  );

  it('outlive a restart', async () => {
    await failOnce();
    await restart();
    expect(stored()).toEqual([2, 2, 0]);
    await succeedWithLast();
    await restart();
    await house.service.remove(image.id);
    expect(stored()).toEqual([0, 0, 0]);
  });

  it('wait for an hour, also where the clock was set back', async () => {
    for (const age of [3_500_000, 3_700_000, -3_700_000]) {
      trouble = unavailable;
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

  it('do not stay where there is no room, and neither does what waits there', async () => {
    await failOnce();
    await house.open({ limits: { maxBytes: 5_000, maxEntries: 100 } });
    await house.service.sweep();
    expect(stored()).toEqual([2, 2, 0]);
    expect((await house.failure('a.test/x')).code).toBe('resource-exhausted');
    expect(stored()).toEqual([0, 0, 0]);
  });
});

describe('the finished layers of a pull under way, when the daemon is killed', () => {
  /** The store as it is in the middle of the pull, under a service that knows nothing of it. */
  async function killed(change: (root: string) => void = () => undefined): Promise<void> {
    const root = `${house.root}-killed`;
    const cut = new AbortController();
    const copied = new Promise<void>((resolve) => {
      trouble = () =>
        void until(() => noted().length === 2).then(() => {
          cpSync(house.root, root, { recursive: true });
          resolve();
        });
    });
    const pull = house.failure('a.test/x', { signal: cut.signal });
    await copied;
    cut.abort();
    await pull;
    await house.service.close();
    rmSync(house.root, { recursive: true });
    change(root);
    cpSync(root, house.root, { recursive: true });
    rmSync(root, { recursive: true });
    [seen, trouble] = [[], undefined];
    await restart();
  }

  it('are not fetched again, and belong to the image then', async () => {
    await killed();
    await succeedWithLast();
    expect(house.list('unsynced-layers')).toEqual([]);
    await house.service.remove(image.id);
    expect(stored()).toEqual([0, 0, 0]);
  });

  it('have records soon, so that they wait for an hour and no longer', async () => {
    await killed();
    await until(() => house.list('unsynced-layers').length === 0);
    expect(stored()).toEqual([2, 2, 0]);
    await house.service.close();
    for (const file of house.list('layer-records')) setAge(join(house.root, 'images/layer-records', file), 3_700_000);
    await restart();
    expect(stored()).toEqual([0, 0, 0]);
  });

  it.each([
    ['the machine went down', (text: string) => text.replace(/"boot":"[^"]*"/, '"boot":"another"')],
    ['a note is cut off', (text: string) => text.slice(0, 20)],
    ['a note is of another layer', (text: string) => text.replace(/"dir":"[0-9]+"/, '"dir":"77"')],
  ])('are deleted if %s', async (_, change) => {
    await killed((root) => {
      const notes = join(root, 'images/unsynced-layers');
      for (const file of readdirSync(notes)) rewrite(join(notes, file), change);
    });
    await until(() => house.list('layers').length === 0);
    expect(stored()).toEqual([0, 0, 0]);
    expect(house.list('unsynced-layers')).toEqual([]);
    await house.service.pull('a.test/x');
    expect(layersAsked()).toHaveLength(3);
  });
});

function setAge(path: string, ms: number): void {
  rewrite(path, (text) => JSON.stringify({ ...(JSON.parse(text) as object), unclaimedSince: Date.now() - ms }));
}

function rewrite(path: string, change: (text: string) => string): void {
  writeFileSync(path, change(readFileSync(path, 'utf8')));
}
