import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { runtime } from '../../../api/cri/generated/api.cjs';
import { codeOf } from '../../base/errors.js';
import { silentLogger } from '../../base/log.js';
import { mount, unmount } from '../../base/sys/sys.js';
import { imageOf, writeLayout, type FixtureImage } from '../image-fixture.js';
import { ImageService } from '../image-service.js';
import { createImageHandlers } from './index.js';

const { v1 } = runtime;
const users: Readonly<Record<string, string>> = {
  uid: '1002',
  name: 'www-data',
  both: '1003:root',
  group: 'www-data:100',
  none: '',
};

let scratch: string;
let service: ImageService;
let handlers: ReturnType<typeof createImageHandlers>;

beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), 'gantry-handlers-'));
  const options = { root: join(scratch, 'root'), hostsDirs: [], maxParallelLayers: 2, stallTimeoutMs: 1000 };
  service = await ImageService.open({ ...options, pinned: ['example.test/uid:v1'], logger: silentLogger() });
  const images = Object.entries(users).map(([name, user]): [string, FixtureImage] => [
    `example.test/${name}:v1`,
    imageOf({
      layers: [[{ name }]],
      config: { User: user, Labels: { name } },
      spoil: (manifest) => (manifest['annotations'] = { 'org.example/of': name, wrong: 7 }),
    }),
  ]);
  writeLayout(join(scratch, 'layout'), Object.fromEntries(images));
  await service.importLayout(join(scratch, 'layout'));
  handlers = createImageHandlers(service, {
    runtimeHandlers: ['runc'],
    writableLayers: join(scratch, 'root/containers'),
  });
});
afterAll(async () => {
  await service.close();
  rmSync(scratch, { recursive: true });
});

const call = { signal: new AbortController().signal };
const spec = (image: string): runtime.v1.IImageSpec => ({ image });
/** What a client sees: through bytes and back. */
const status = async (image: string, verbose = false): Promise<runtime.v1.ImageStatusResponse> => {
  const request = v1.ImageStatusRequest.create({ image: spec(image), verbose });
  return v1.ImageStatusResponse.decode(v1.ImageStatusResponse.encode(await handlers.ImageStatus(request)).finish());
};

describe('ImageStatus', () => {
  it.each([
    ['uid', '1002', ''],
    ['both', '1003', ''],
    ['name', undefined, 'www-data'],
    ['group', undefined, 'www-data'],
    ['none', undefined, ''],
  ])('tells the user of %s', async (name, uid, username) => {
    const { image } = await status(`example.test/${name}:v1`);
    expect([image?.uid?.value?.toString(), image?.username]).toEqual([uid, username]);
  });

  it('has id, names, size and whether the image is pinned', async () => {
    const { image, info } = await status('example.test/uid:v1');
    const record = service.resolve('example.test/uid:v1');
    expect(image).toMatchObject({
      id: record.id,
      repoTags: ['example.test/uid:v1'],
      repoDigests: record.repoDigests,
      pinned: true,
      spec: { image: record.id, annotations: { 'org.example/of': 'uid' } },
    });
    expect(Number(image?.size)).toBe(record.size);
    expect(info).toEqual({});
    expect((await status('example.test/none:v1')).image?.pinned).toBe(false);
  });

  it('has the configuration when verbose', async () => {
    const { info } = await status('example.test/name:v1', true);
    const parsed = JSON.parse(info['info'] ?? '') as { imageSpec: { config: unknown }; chainIDs: unknown[] };
    expect(parsed.imageSpec.config).toEqual({ User: 'www-data', Labels: { name: 'name' } });
    expect(parsed.chainIDs).toHaveLength(1);
  });

  it('answers without an image if there is none, and refuses to look for nothing', async () => {
    expect((await status('example.test/nope:v1')).image).toBeNull();
    await expect(status('')).rejects.toThrow('image.image must not be empty');
    expect(await status('').catch(codeOf)).toBe('invalid-argument');
    expect(await status('no such').catch(codeOf)).toBe('invalid-argument');
  });
});

describe('ListImages', () => {
  const list = async (image = ''): Promise<string[]> => {
    const request = v1.ListImagesRequest.create({ filter: { image: spec(image) } });
    return ((await handlers.ListImages(request)).images ?? []).flatMap(({ repoTags }) => repoTags ?? []).sort();
  };

  it('has all images, or the one that is asked for', async () => {
    expect(await list()).toEqual(
      Object.keys(users)
        .map((name) => `example.test/${name}:v1`)
        .sort(),
    );
    expect(await list('example.test/name:v1')).toEqual(['example.test/name:v1']);
    expect(await list('example.test/nope:v1')).toEqual([]);
  });

  it('can be streamed', async () => {
    const request = v1.StreamImagesRequest.create({});
    const seen: number[] = [];
    for await (const bytes of handlers.StreamImages(request)) {
      seen.push(v1.StreamImagesResponse.decode(bytes).images.length);
    }
    expect(seen).toEqual([5]);
  });
});

describe('the other RPCs', () => {
  it('PullImage refuses what is no reference', async () => {
    const request = v1.PullImageRequest.create({ image: spec('bad reference') });
    const error: unknown = await handlers.PullImage(request, call).catch((thrown: unknown) => thrown);
    expect([codeOf(error), (error as Error).message]).toEqual([
      'invalid-argument',
      expect.stringContaining('"bad reference"'),
    ]);
  });

  it('PullImage refuses a runtime handler that is not there', async () => {
    const pull = (runtimeHandler: string): Promise<unknown> => {
      const request = v1.PullImageRequest.create({ image: { image: 'bad reference', runtimeHandler } });
      return handlers.PullImage(request, call).catch((error: unknown) => (error as Error).message);
    };
    expect(await pull('kata')).toBe('image.runtime_handler "kata" is no handler of this node');
    expect(await Promise.all(['runc', ''].map(pull))).toEqual(
      Array(2).fill(expect.stringContaining('"bad reference"')),
    );
  });

  it('ImageFsInfo counts what layers take', async () => {
    const { imageFilesystems } = await handlers.ImageFsInfo();
    const [usage] = imageFilesystems ?? [];
    expect(usage?.fsId?.mountpoint).toBe(join(scratch, 'root/images'));
    expect([Number(usage?.usedBytes?.value), Number(usage?.inodesUsed?.value)]).toEqual([5 * 4096, 10]);
  });

  it('ImageFsInfo tells of writable layers on a file system of their own', async () => {
    const dir = join(scratch, 'root/containers');
    const filesystems = async () => (await handlers.ImageFsInfo()).containerFilesystems;
    expect(await filesystems()).toEqual(
      (await handlers.ImageFsInfo()).imageFilesystems?.map((each) => ({ ...each, timestamp: expect.anything() })),
    );
    mkdirSync(dir);
    expect((await filesystems())?.[0]?.fsId?.mountpoint).toBe(join(scratch, 'root/images'));
    await mount({ source: 'tmpfs', target: dir, type: 'tmpfs', flags: 0 });
    try {
      writeFileSync(join(dir, 'f'), Buffer.alloc(100_000));
      const [usage] = (await filesystems()) ?? [];
      expect(usage?.fsId?.mountpoint).toBe(dir);
      expect(Number(usage?.usedBytes?.value)).toBeGreaterThanOrEqual(100_000);
      expect(Number(usage?.inodesUsed?.value)).toBe(2);
    } finally {
      await unmount(dir);
    }
  });

  it('RemoveImage removes once, and does not mind twice', async () => {
    const request = v1.RemoveImageRequest.create({
      image: spec('example.test/group:v1'),
    });
    expect([await handlers.RemoveImage(request), await handlers.RemoveImage(request)]).toEqual([{}, {}]);
    expect((await status('example.test/group:v1')).image).toBeNull();
    const none = v1.RemoveImageRequest.create({});
    expect(await handlers.RemoveImage(none).catch(codeOf)).toBe('invalid-argument');
  });
});
