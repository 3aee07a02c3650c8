import { createServer, type RequestListener, type Server } from 'node:http';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

import { status, type ServiceError } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { imageOf, type FixtureImage } from '../src/image-service/image-fixture.js';
import { callCri } from './harness/cri.js';
import { openHouse, type House } from './harness/house.js';
import { mirrorTree } from './harness/mirror-tree.js';
import { waitFor } from './harness/wait.js';
import { hostileLayers, LIMITS, type HostileImage } from './hostile/layers.js';
import { hostileManifests } from './hostile/manifests.js';

const IMAGE = 'registry.k8s.io/hostile/image:1';
const good = imageOf({ layers: [[{ name: 'good', data: 'good' }]] });

/** Serves whatever it is given under the digests that it says it has, as no registry would take it. */
function serve(image: () => FixtureImage): RequestListener {
  return (request, response) => {
    const name = (request.url?.split('?')[0] ?? '').split('/').pop() ?? '';
    const { manifest, blobs } = image();
    const blob = name.startsWith('sha256:') ? [manifest, ...blobs].find(({ digest }) => digest === name) : manifest;
    if (blob === undefined) response.writeHead(404).end();
    else response.writeHead(200, { 'content-type': blob.mediaType, 'content-length': blob.data.length }).end(blob.data);
  };
}

describe('images that mean harm', () => {
  let house: House;
  let server: Server;
  let served = good;
  let canary: string;
  let before: readonly string[];
  beforeAll(async () => {
    house = await openHouse(() => Promise.resolve({ image: LIMITS }));
    server = createServer(serve(() => served));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    await mirrorTree(house.scratch.hosts, `127.0.0.1:${(server.address() as AddressInfo).port}`);
    canary = join(house.scratch.root, 'images', 'canary');
    await writeFile(canary, 'unharmed');
    before = await suspects();
  });
  afterAll(async () => {
    server.closeAllConnections();
    server.close();
    await house.close();
  });

  const pull = (): Promise<unknown> => callCri(house, 'PullImage', { image: { image: IMAGE } });

  async function failure(): Promise<{ code: string | undefined; details: string }> {
    try {
      await pull();
    } catch (error) {
      const { code, details } = error as ServiceError;
      return { code: status[code], details };
    }
    return { code: undefined, details: 'pulled' };
  }

  /** All files of the store: none but the canary when no image is there. */
  async function storedFiles(): Promise<string[]> {
    const found = await readdir(join(house.scratch.root, 'images'), { recursive: true, withFileTypes: true });
    return found.filter((entry) => !entry.isDirectory()).map(({ name }) => name);
  }

  /** Names that only a layer which got out could have made. */
  async function escaped(): Promise<string[]> {
    return (await suspects()).filter((path) => !before.includes(path));
  }

  async function suspects(): Promise<string[]> {
    const around = ['/', '/tmp', '/dev', house.scratch.dir, house.scratch.root, join(house.scratch.root, 'images')];
    const names = await Promise.all(around.map(async (dir) => (await readdir(dir)).map((name) => join(dir, name))));
    return names.flat().filter((path) => /\/(evil|x|m)$/.test(path));
  }

  async function refuses({ image, code, says }: HostileImage): Promise<void> {
    served = image;
    const failed = await failure();
    expect(failed.details).toMatch(says);
    expect(failed.details).toContain(IMAGE);
    expect(failed.code).toBe(code);
    expect((await callCri(house, 'ListImages', {})).images).toEqual([]);
    // What was unpacked is removed a moment after the answer.
    await waitFor('empty store', 10_000, async () => ((await storedFiles()).length === 1 ? true : undefined));
    expect(await readFile(canary, 'utf8')).toBe('unharmed');
    expect(await escaped()).toEqual([]);
    served = good;
    await pull();
    await callCri(house, 'RemoveImage', { image: { image: IMAGE } });
  }

  it.each(hostileLayers().map((each) => [each.what, each] as const))('a layer with %s', (_, each) => refuses(each));
  it.each(hostileManifests().map((each) => [each.what, each] as const))('a registry with %s', (_, each) =>
    refuses(each),
  );

  it('leaves nothing behind', () => house.assertEmpty());
});
