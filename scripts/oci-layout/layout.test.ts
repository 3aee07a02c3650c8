import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { codeOf } from '../../src/base/errors.js';
import { sha256, type Descriptor } from './blob.js';
import { file } from './entries.js';
import { HOST_PLATFORM, image, imageIndex, layer, type Image, type Layer } from './image.js';
import { readBlob, readLayout, writeLayout } from './layout.js';

interface Manifest {
  readonly mediaType: string;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

describe('layout', () => {
  let dir: string;
  let shared: Layer;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'gantry-layout-'));
    shared = await layer([file('a', 'hello')]);
  });
  afterEach(async () => {
    await rm(dir, { recursive: true });
  });

  /** Writes one image, reads it back and returns its manifest. */
  async function written(one: Image): Promise<Manifest> {
    await writeLayout(dir, [{ name: 'host/path:tag', image: one }]);
    const [found] = await readLayout(dir);
    expect(found?.name).toBe('host/path:tag');
    return parse(await readBlob(dir, found?.root ?? never())) as Manifest;
  }

  it('writes an image whose digests and sizes hold', async () => {
    const manifest = await written(image({ layers: [shared], process: { User: '7', Cmd: ['sh'] } }));
    const [first] = manifest.layers;
    const content = await readBlob(dir, first ?? never());
    expect(content.data.length).toBe(first?.size);
    const config = parse(await readBlob(dir, manifest.config)) as Record<string, object>;
    expect(config).toMatchObject({ ...HOST_PLATFORM, config: { User: '7', Cmd: ['sh'] } });
    expect(config['rootfs']).toEqual({ type: 'layers', diff_ids: [sha256(gunzipSync(content.data))] });
  });

  it('keeps blobs that images share once', async () => {
    const images = ['1', '2'].map((tag) => ({ name: `x/y:${tag}`, image: image({ layers: [shared] }) }));
    await writeLayout(dir, images);
    expect(await readdir(join(dir, 'blobs', 'sha256'))).toHaveLength(3);
    const index = JSON.parse(await readFile(join(dir, 'index.json'), 'utf8')) as { manifests: Descriptor[] };
    expect(index.manifests.map(({ annotations }) => annotations)).toEqual([
      { 'io.containerd.image.name': 'x/y:1', 'org.opencontainers.image.ref.name': '1' },
      { 'io.containerd.image.name': 'x/y:2', 'org.opencontainers.image.ref.name': '2' },
    ]);
  });

  it('speaks the dialect of Docker schema 2', async () => {
    const manifest = await written(image({ layers: [shared], format: 'docker' }));
    expect(manifest.mediaType).toBe('application/vnd.docker.distribution.manifest.v2+json');
    expect(manifest.config.mediaType).toBe('application/vnd.docker.container.image.v1+json');
    expect(manifest.layers[0]?.mediaType).toBe('application/vnd.docker.image.rootfs.diff.tar.gzip');
  });

  it('leaves a layer uncompressed when told to', async () => {
    const plain = await layer([file('a', 'hello')], { compression: 'none' });
    const manifest = await written(image({ layers: [plain] }));
    expect(manifest.layers[0]?.digest).toBe(plain.diffId);
  });

  it('puts platforms under one name', async () => {
    const other = image({ layers: [shared], platform: { os: 'linux', architecture: 's390x' } });
    const both = imageIndex([image({ layers: [shared] }), other]);
    await writeLayout(dir, [{ name: 'a/b:c', image: both }]);
    const index = parse(both.root) as { manifests: Descriptor[] };
    expect(index.manifests.map(({ platform }) => platform?.architecture)).toEqual([
      HOST_PLATFORM.architecture,
      's390x',
    ]);
    for (const each of index.manifests) {
      expect((parse(await readBlob(dir, each)) as Manifest).layers).toHaveLength(1);
    }
  });

  it('refuses a blob that is not what its name says', async () => {
    await writeLayout(dir, [{ name: 'a/b:c', image: image({ layers: [shared] }) }]);
    const [found] = await readLayout(dir);
    const root = found?.root ?? never();
    await writeFile(join(dir, 'blobs', ...root.digest.split(':')), 'other');
    const failure: unknown = await readBlob(dir, root).catch((error: unknown) => error);
    expect(codeOf(failure)).toBe('data-loss');
  });
});

function parse({ data }: { data: Buffer }): unknown {
  return JSON.parse(data.toString());
}

function never(): never {
  throw new TypeError('nothing was found');
}
