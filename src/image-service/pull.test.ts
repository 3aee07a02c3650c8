import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';

import { codeOf } from '../base/errors.js';
import { rejection } from '../base/testing.js';
import { HOST_ARCHITECTURE, imageOf, indexOf, type FixtureImage } from './image-fixture.js';
import { hello, PullHouse, serveImage } from './pull-fixture.js';
import { startRegistry, type FixtureRegistry } from './registry-fixture.js';

let base: string;
let registry: FixtureRegistry;
let house: PullHouse;

beforeAll(async () => {
  base = mkdtempSync(join(tmpdir(), 'gantry-registry-'));
  registry = await startRegistry(base);
});
afterAll(async () => {
  await registry.stop();
  rmSync(base, { recursive: true, force: true });
});
beforeEach(async () => {
  house = await new PullHouse().open();
  house.hosts('example.test', `server = "http://${registry.address}"\n`);
});
afterEach(() => house.close());

describe('pull', () => {
  it('gets an image by tag, with its layers, configuration and names', async () => {
    await registry.push('lib/hello', 'v1', hello);
    const image = await house.service.pull('example.test/lib/hello:v1');
    expect(image).toMatchObject({
      id: hello.id,
      state: 'listed',
      repoTags: ['example.test/lib/hello:v1'],
      repoDigests: [`example.test/lib/hello@${hello.manifest.digest}`],
    });
    expect(image.config).toMatchObject({ cmd: ['/bin/hello'], user: '7', env: [] });
    expect(image.size).toBeGreaterThanOrEqual(4096);
    expect(readFileSync(join(house.root, 'images/layers/1/etc/hello'), 'utf8')).toBe('hello');
    expect(house.service.resolve(hello.id.slice(7, 20)).id).toBe(hello.id);
  });

  it('gets an image by digest, and gives it no tag', async () => {
    await registry.push('lib/hello', 'v1', hello);
    const image = await house.service.pull(`example.test/lib/hello:ignored@${hello.manifest.digest}`);
    expect(image.repoTags).toEqual([]);
    expect(house.service.resolve(`example.test/lib/hello@${hello.manifest.digest}`).id).toBe(hello.id);
  });

  it('chooses this machine from an index, of OCI and of Docker', async () => {
    for (const docker of [false, true]) {
      const own = imageOf({ layers: [[{ name: `own-${docker}` }]], docker });
      const other = imageOf({ layers: [[{ name: 'other' }]], docker, architecture: 'plan9' });
      const index = indexOf(
        [
          [other, 'plan9'],
          [own, HOST_ARCHITECTURE],
        ],
        docker,
      );
      await registry.push('lib/multi', 'other', other);
      await registry.push('lib/multi', 'own', own);
      await registry.pushManifest('lib/multi', 'latest', index);
      const image = await house.service.pull('example.test/lib/multi');
      expect([image.id, image.repoDigests]).toEqual([own.id, [`example.test/lib/multi@${index.digest}`]]);
    }
  });

  it('believes the index, not the label of a configuration, and knows an architecture by other names', async () => {
    const labelled = imageOf({ layers: [[{ name: 'labelled' }]], architecture: 'plan9' });
    const aliases: Record<string, string> = { amd64: 'X86_64', arm64: 'AArch64' };
    const alias = aliases[HOST_ARCHITECTURE] ?? HOST_ARCHITECTURE;
    const named = imageOf({ layers: [[{ name: 'named' }]], architecture: alias });
    await registry.push('lib/labelled', 'own', labelled);
    await registry.pushManifest('lib/labelled', 'latest', indexOf([[labelled, alias]]));
    await registry.push('lib/named', 'latest', named);
    expect((await house.service.pull('example.test/lib/labelled')).id).toBe(labelled.id);
    expect((await house.service.pull('example.test/lib/named')).id).toBe(named.id);
    expect((await rejection(house.service.pull('example.test/lib/labelled:own'))).code).toBe('not-found');
  });

  it('leaves out of the environment what sets nothing', async () => {
    const env = ['A=1', '', 'B', '=C', 'D=', 'E=x=y'];
    await registry.push('lib/env', 'latest', imageOf({ layers: [[{ name: 'env' }]], config: { Env: env } }));
    expect((await house.service.pull('example.test/lib/env')).config.env).toEqual(['A=1', 'D=', 'E=x=y']);
  });

  it('takes layers that are not compressed, whatever their type says', async () => {
    await registry.push(
      'lib/plain',
      'v1',
      imageOf({ layers: [[{ name: 'f', data: 'plain' }]], compress: (tar) => tar }),
    );
    await house.service.pull('example.test/lib/plain:v1');
    expect(readFileSync(join(house.root, 'images/layers/1/f'), 'utf8')).toBe('plain');
  });

  it('fetches a shared layer once, and nothing at all of an image that is here', async () => {
    const first = imageOf({ layers: [[{ name: 'base' }], [{ name: 'one' }]] });
    const second = imageOf({ layers: [[{ name: 'base' }], [{ name: 'two' }]] });
    const seen: string[] = [];
    await house.registry('a.test', serveImage(first, seen));
    await house.registry('b.test', serveImage(second, seen));
    await house.service.pull('a.test/x');
    await house.service.pull('b.test/x');
    expect(seen.filter((url) => url.includes('/blobs/'))).toHaveLength(5);
    seen.length = 0;
    const again = await house.service.pull('b.test/x:other');
    expect(seen).toHaveLength(1);
    expect(again.repoTags).toEqual(['b.test/x:latest', 'b.test/x:other']);
    expect(house.list('layers')).toEqual(['1', '2', '3']);
  });

  it('pulls once for many callers, and goes on while one of them waits', async () => {
    const big = imageOf({ layers: [[{ name: 'big', data: randomBytes(3_000_000) }], [{ name: 'f' }]] });
    const seen: string[] = [];
    await house.registry('c.test', serveImage(big, seen));
    const leaver = new AbortController();
    const pulls = ['1', '2', '3'].map((tag) =>
      house.service.pull(`c.test/x:${tag}`, tag === '1' ? { signal: leaver.signal } : {}),
    );
    const first = Promise.resolve(pulls[0]).catch((error: unknown) => codeOf(error));
    // The others have found out that it is the same image, or are about to.
    while (seen.filter((url) => url.includes('/manifests/')).length < 3) await setTimeout(1);
    await setTimeout(20);
    leaver.abort();
    const ids = await Promise.all(pulls.slice(1).map(async (pull) => (await pull).id));
    expect(ids).toEqual([big.id, big.id]);
    expect(['cancelled', big.id]).toContain(
      await first.then((value) => (typeof value === 'string' ? value : value?.id)),
    );
    expect(seen.filter((url) => url.includes('/blobs/')).length).toBe(3);
    expect(house.service.list()[0]?.repoTags).toEqual(expect.arrayContaining(['c.test/x:2', 'c.test/x:3']));
  });

  it('stops when its only caller leaves, and leaves nothing', async () => {
    const address = await house.serve((request, response) => {
      if (request.url?.includes('/manifests/')) {
        serveImage(hello)(request, response);
        return;
      }
      response.writeHead(200).write('x');
    });
    house.hosts('stuck.test', `server = "http://${address}"`);
    expect((await house.failure('stuck.test/x', { signal: AbortSignal.timeout(100) })).code).toBe('deadline-exceeded');
    expect(await house.leftovers()).toEqual([]);
  });

  it('moves a tag to the image that it now stands for', async () => {
    const [old, young] = ['old', 'young'].map((name) => imageOf({ layers: [[{ name }]] }));
    await registry.push('lib/moving', 'v1', old as FixtureImage);
    await house.service.pull('example.test/lib/moving:v1');
    await registry.push('lib/moving', 'v1', young as FixtureImage);
    await house.service.pull('example.test/lib/moving:v1');
    expect(house.service.resolve('example.test/lib/moving:v1').id).toBe(young?.id);
    expect(house.service.resolve(old?.id ?? '').repoTags).toEqual([]);
  });

  it('knows pinned images by their references', async () => {
    await registry.push('pinned', 'v1', hello);
    expect(house.service.isPinned(await house.service.pull('example.test/pinned:v1'))).toBe(true);
  });
});
