import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { codeOf, describeError } from '../base/errors.js';
import { silentLogger } from '../base/log.js';
import { unmount } from '../base/sys/sys.js';
import { imageOf, writeLayout, type FixtureImage } from './image-fixture.js';
import { ImageService } from './image-service.js';
import type { FixtureEntry } from './layers/tar-fixture.js';

let scratch: string;
let root: string;
let service: ImageService;
let layouts = 0;

beforeEach(async () => {
  scratch = mkdtempSync(join(tmpdir(), 'gantry-images-'));
  root = join(scratch, 'root');
  service = await open();
});
afterEach(async () => {
  await service.close();
  for (const line of readFileSync('/proc/self/mounts', 'utf8').split('\n')) {
    const target = line.split(' ')[1] ?? '';
    if (target.startsWith(`${scratch}/`)) execFileSync('umount', ['-l', target]);
  }
  rmSync(scratch, { recursive: true, force: true });
});

async function open(): Promise<ImageService> {
  const options = { root, hostsDirs: [], maxParallelLayers: 2, stallTimeoutMs: 1000, pinned: [] };
  const opened = await ImageService.open({ ...options, logger: silentLogger() });
  return opened;
}

/** Ends the service and opens another on the same store, as a restart of the daemon does. */
const restart = async (sweep = true): Promise<void> => {
  await service.close();
  service = await open();
  if (sweep) await service.sweep();
};

const layoutOf = (images: Readonly<Record<string, FixtureImage>>): string => {
  const directory = join(scratch, `layout-${layouts++}`);
  writeLayout(directory, images);
  return directory;
};

const importOne = async (name: string, layers: readonly (readonly FixtureEntry[])[]): Promise<string> => {
  const image = imageOf({ layers });
  await service.importLayout(layoutOf({ [name]: image }));
  return image.id;
};

const inStore = (name: string): string[] => readdirSync(join(root, 'images', name)).sort();
const failure = async (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'no error',
    (error: unknown) => `${codeOf(error) ?? 'no code'}: ${describeError(error)}`,
  );

describe('import', () => {
  it('takes all images of a layout, by their names, and shares their layers', async () => {
    const base: FixtureEntry[] = [{ name: 'base', data: 'b' }];
    const one = imageOf({ layers: [base, [{ name: 'one' }]] });
    const two = imageOf({ layers: [base, [{ name: 'two' }]], docker: true });
    const imported = await service.importLayout(layoutOf({ 'example.test/one:v1': one, two }));
    expect(imported.map(({ id, repoTags }) => [id, repoTags])).toEqual([
      [one.id, ['example.test/one:v1']],
      [two.id, []],
    ]);
    expect(service.resolve('example.test/one:v1').repoDigests).toEqual([`example.test/one@${one.manifest.digest}`]);
    expect(inStore('layers')).toEqual(['1', '2', '3']);
  });

  it('takes a tar archive of a layout, and cleans up after it', async () => {
    const image = imageOf({ layers: [[{ name: 'f', data: 'x' }]] });
    const archive = join(scratch, 'layout.tar');
    execFileSync('tar', ['-C', layoutOf({ 'example.test/tar:v1': image }), '-czf', archive, '.']);
    expect((await service.importLayout(archive)).map(({ id }) => id)).toEqual([image.id]);
    await service.close();
    expect(inStore('ingest')).toEqual([]);
  });

  it('names an image that the layout does not name', async () => {
    const image = imageOf({ layers: [[]] });
    const lie = `mine@sha256:${'0'.repeat(64)}`;
    const lying = layoutOf({ '': image });
    expect(await failure(service.importLayout(lying, { name: lie }))).toBe(
      `invalid-argument: import ${lying}: the image cannot be called ${lie}, its digest is ${image.manifest.digest}`,
    );
    const [imported] = await service.importLayout(layoutOf({ '': image }), { name: 'mine' });
    expect(imported?.repoTags).toEqual(['docker.io/library/mine:latest']);
    const both = layoutOf({ a: image, b: imageOf({ layers: [] }) });
    expect(await failure(service.importLayout(both, { name: 'x' }))).toMatch(/^invalid-argument: .* holds 2 images/);
  });

  it('says what is wrong with a layout', async () => {
    const image = imageOf({ layers: [[{ name: 'f' }]] });
    const broken = layoutOf({ 'example.test/x:v1': image });
    const [, hex = ''] = (image.blobs[1]?.digest ?? '').split(':');
    writeFileSync(join(broken, 'blobs/sha256', hex), 'not the layer');
    const missing = layoutOf({ 'example.test/x:v1': image });
    rmSync(join(missing, 'blobs/sha256', hex));
    const linked = layoutOf({ 'example.test/x:v1': image });
    rmSync(join(linked, 'index.json'));
    execFileSync('ln', ['-s', '/etc/passwd', join(linked, 'index.json')]);
    const foreign = layoutOf({ 'example.test/x:v1': imageOf({ layers: [], architecture: 'plan9' }) });
    mkdirSync(join(scratch, 'empty'));
    expect(await failure(service.importLayout(broken))).toMatch(/^data-loss: .*has 13 bytes/);
    expect(await failure(service.importLayout(missing))).toMatch(/^data-loss: .*blob sha256:.* is missing/);
    expect(await failure(service.importLayout(linked))).toMatch(/ELOOP/);
    expect(await failure(service.importLayout(foreign))).toMatch(/^not-found: .*linux\/plan9/);
    expect(await failure(service.importLayout(join(scratch, 'empty')))).toMatch(
      /^invalid-argument: .* it has no index.json/,
    );
    expect(await failure(service.importLayout(join(scratch, 'nope')))).toMatch(
      /^invalid-argument: .*nope cannot be read/,
    );
    expect(await failure(service.importLayout('relative'))).toMatch(
      /^invalid-argument: path "relative" must be absolute/,
    );
    expect(service.list()).toEqual([]);
  });

  it.each([
    ['text', Buffer.from('hello'), /^data-loss: import .*\/archive: the archive ends in the middle/],
    ['noise', Buffer.alloc(3_000, 0xf5), /^data-loss: import .*\/archive: a tar header/],
    ['bzip2', Buffer.from('BZh91AY&SY'), /^invalid-argument: .*\/archive is compressed by bzip2: gzip and zstd are/],
    ['xz', Buffer.from('fd377a585a000004', 'hex'), /^invalid-argument: .*\/archive is compressed by xz/],
    ['nothing', Buffer.alloc(0), /^invalid-argument: .*\/archive is no OCI layout/],
  ])('names the file that is no archive: %s', async (_, content, says) => {
    const path = join(scratch, 'archive');
    writeFileSync(path, content);
    expect(await failure(service.importLayout(path))).toMatch(says);
  });
});

describe('names', () => {
  it('find an image by tag, digest, id and the start of an id', async () => {
    const id = await importOne('example.test/a/b:v1', [[{ name: 'f' }]]);
    const [digest = ''] = service.resolve(id).repoDigests;
    for (const name of ['example.test/a/b:v1', digest, id, id.slice(7), id.slice(7, 12), id.slice(0, 15)])
      expect(service.resolve(name).id).toBe(id);
    expect(service.find('example.test/a/b:v2')).toBeUndefined();
    expect(service.find('f'.repeat(64))).toBeUndefined();
    expect(() => service.resolve('example.test/a/b')).toThrow(/image "example.test\/a\/b" is not here/);
    expect(() => service.resolve('NOT A NAME')).toThrow(/image reference "NOT A NAME"/);
    expect(() => service.resolve('')).toThrow(/must not be empty/);
  });

  it('that are the start of several ids are refused', async () => {
    const ids: string[] = [];
    while (new Set(ids.map((id) => id[7])).size === ids.length)
      ids.push(await importOne('', [[{ name: `f${ids.length}` }]]));
    const shared = ids.at(-1)?.slice(7, 8) ?? '';
    // One hexadecimal digit is also a name of an image on Docker Hub, which is not here.
    expect(() => service.resolve(shared)).toThrow(/is the start of 2 ids/);
  });
});

describe('the store', () => {
  it('knows its images after a restart', async () => {
    const id = await importOne('example.test/x:v1', [[{ name: 'f', data: 'x' }], [{ name: 'g' }]]);
    const before = service.resolve(id);
    await restart();
    expect(service.resolve('example.test/x:v1')).toEqual(before);
    expect(service.usage().bytes).toBe(before.size);
    await importOne('example.test/y:v1', [[{ name: 'h' }]]);
    expect(inStore('layers')).toEqual(['1', '2', '3']);
  });

  it('deletes what has no record, and pulls again what has no directory', async () => {
    const id = await importOne('example.test/x:v1', [[{ name: 'f' }]]);
    for (const path of ['layers/17/deep', 'ingest/23/deep']) mkdirSync(join(root, 'images', path), { recursive: true });
    writeFileSync(join(root, 'images/records/.x.json.12.tmp'), '');
    await restart();
    await restart();
    expect([inStore('layers'), inStore('ingest')]).toEqual([['1'], []]);
    expect(existsSync(join(root, 'images/records/.x.json.12.tmp'))).toBe(false);
    rmSync(join(root, 'images/layers/1'), { recursive: true });
    await restart();
    expect([service.find(id), inStore('layer-records'), inStore('records')]).toEqual([undefined, [], []]);
    expect(readdirSync(join(root, 'quarantine'))).toHaveLength(2);
    expect(await importOne('example.test/x:v1', [[{ name: 'f' }]])).toBe(id);
  });

  it('moves records aside that it cannot read, and starts', async () => {
    const id = await importOne('example.test/x:v1', [[{ name: 'f' }]]);
    writeFileSync(join(root, 'images/records/sha256-00.json'), '{"version":1,"id":7}');
    writeFileSync(join(root, 'images/records/junk'), 'junk');
    writeFileSync(join(root, 'images/layer-records/9.json'), 'junk');
    await restart();
    expect(service.list().map((image) => image.id)).toEqual([id]);
    expect(readdirSync(join(root, 'quarantine'))).toHaveLength(3);
  });

  it('lets the later image have a tag that two records claim', async () => {
    const old = await importOne('example.test/x:v1', [[{ name: 'old' }]]);
    const path = join(root, 'images/records', `${old.replace(':', '-')}.json`);
    const record = readFileSync(path);
    const young = await importOne('example.test/x:v1', [[{ name: 'young' }]]);
    writeFileSync(path, record);
    await restart();
    expect(service.resolve('example.test/x:v1').id).toBe(young);
    expect(service.resolve(old).repoTags).toEqual([]);
  });

  it('removes an image by any of its names, with all of them', async () => {
    const layers = [[{ name: 'f' }]];
    const id = await importOne('example.test/x:v1', layers);
    await importOne('example.test/x:v2', layers);
    await service.sweep();
    await service.remove('example.test/x:v1');
    await service.remove('example.test/x:v1');
    expect([service.find(id), service.list()]).toEqual([undefined, []]);
    expect([inStore('layers'), inStore('layer-records'), inStore('records')]).toEqual([[], [], []]);
    expect(service.usage()).toMatchObject({ bytes: 0, inodes: 0 });
  });

  it('keeps the layers that another image has', async () => {
    const base: FixtureEntry[] = [{ name: 'base' }];
    await importOne('example.test/x:v1', [base, [{ name: 'x' }]]);
    const other = await importOne('example.test/y:v1', [base]);
    await service.sweep();
    await service.remove('example.test/x:v1');
    expect([inStore('layers'), service.resolve(other).repoTags]).toEqual([['1'], ['example.test/y:v1']]);
  });
});

describe('mounts', () => {
  const place = (owner: string) => ({ owner, target: join(scratch, owner, 'rootfs'), writable: join(scratch, owner) });

  it('show all layers, with whiteouts, below a writable one of their own', async () => {
    const imageId = await importOne('example.test/x:v1', [
      [
        { name: 'etc/gone' },
        { name: 'etc/old', data: 'old' },
        { name: 'var/cache/x' },
        { name: './', flag: '5', mode: 0o751 },
      ],
      [{ name: 'etc/.wh.gone' }, { name: 'etc/old', data: 'new' }, { name: 'var/cache/.wh..wh..opq' }],
    ]);
    const [a, b] = [place('a'), place('b')];
    await Promise.all([service.mountRootfs({ imageId, ...a }), service.mountRootfs({ imageId, ...b })]);
    expect(readdirSync(join(a.target, 'etc'))).toEqual(['old']);
    expect(readFileSync(join(a.target, 'etc/old'), 'utf8')).toBe('new');
    expect(readdirSync(join(a.target, 'var/cache'))).toEqual([]);
    expect(lstatSync(a.target).mode & 0o7777).toBe(0o751);
    writeFileSync(join(a.target, 'etc/old'), 'mine');
    expect(readFileSync(join(b.target, 'etc/old'), 'utf8')).toBe('new');
    for (const { owner, target } of [a, a, b]) await service.unmountRootfs({ owner, target });
    expect(readdirSync(a.target)).toEqual([]);
  });

  it('work for an image without layers, and for one with very many', async () => {
    const none = await importOne('example.test/none:v1', []);
    const many = await importOne(
      'example.test/many:v1',
      Array.from({ length: 127 }, (_, i) => [{ name: `f${i}` }]),
    );
    const [a, b] = [place('a'), place('b')];
    await service.mountRootfs({ imageId: none, ...a });
    await service.mountRootfs({ imageId: many, ...b });
    expect([readdirSync(a.target).length, readdirSync(b.target).length]).toEqual([0, 127]);
    expect(lstatSync(a.target).mode & 0o7777).toBe(0o755);
    for (const { owner, target } of [a, b]) await service.unmountRootfs({ owner, target });
  });

  it('are refused for an image that is not here, and leave nothing when they fail', async () => {
    expect(await failure(service.mountRootfs({ imageId: 'sha256:00', ...place('a') }))).toMatch(
      /^not-found: image sha256:00/,
    );
    const imageId = await importOne('example.test/x:v1', [[{ name: 'f' }]]);
    await service.sweep();
    writeFileSync(join(scratch, 'file'), '');
    const bad = { owner: 'a', target: join(scratch, 'file/rootfs'), writable: join(scratch, 'a') };
    expect(await failure(service.mountRootfs({ imageId, ...bad }))).toMatch(/EEXIST/);
    await service.remove(imageId);
    expect(inStore('layers')).toEqual([]);
  });

  it('keep the layers of a removed image until the last one goes, also through a restart', async () => {
    const imageId = await importOne('example.test/x:v1', [[{ name: 'f', data: 'x' }]]);
    await service.sweep();
    const [a, b] = [place('a'), place('b')];
    await service.mountRootfs({ imageId, ...a });
    await service.mountRootfs({ imageId, ...b });
    await service.remove(imageId);
    expect([service.find(imageId), inStore('layers')]).toEqual([undefined, ['1']]);
    await restart(false);
    service.adopt('a', imageId);
    service.adopt('b', imageId);
    await service.sweep();
    await service.unmountRootfs(a);
    expect(readFileSync(join(b.target, 'f'), 'utf8')).toBe('x');
    await service.unmountRootfs(b);
    expect([inStore('layers'), inStore('records')]).toEqual([[], []]);
  });

  it('use their own image, not the one that it was built on', async () => {
    const below: FixtureEntry[] = [{ name: 'below', data: 'x' }];
    const base = await importOne('example.test/base:v1', [below]);
    const bare = await importOne('example.test/bare:v1', []);
    const imageId = await importOne('example.test/x:v1', [below, [{ name: 'f' }]]);
    const a = place('a');
    await service.mountRootfs({ imageId, ...a });
    expect(new Set((await service.prune()).map(({ id }) => id))).toEqual(new Set([base, bare]));
    expect([service.list().map(({ id }) => id), inStore('records').length]).toEqual([[imageId], 1]);
    expect(inStore('layers')).toHaveLength(2);
    expect(readFileSync(join(a.target, 'below'), 'utf8')).toBe('x');
    await service.unmountRootfs(a);
    expect((await service.prune()).map(({ id }) => id)).toEqual([imageId]);
    expect(inStore('layers')).toEqual([]);
  });

  it('of an earlier run keep their layers until they are adopted or given up', async () => {
    const imageId = await importOne('example.test/x:v1', [[{ name: 'f' }]]);
    await service.mountRootfs({ imageId, ...place('a') });
    await service.remove(imageId);
    await unmount(place('a').target);
    await restart(false);
    await service.unmountRootfs(place('b'));
    expect(inStore('layers')).toEqual(['1']);
    await service.sweep();
    expect(inStore('layers')).toEqual([]);
  });

  it('of an earlier run keep their layers while they are there, though nobody adopts them', async () => {
    const imageId = await importOne('example.test/x:v1', [[{ name: 'f' }]]);
    await service.mountRootfs({ imageId, ...place('a') });
    await service.remove(imageId);
    await restart();
    expect(inStore('layers')).toEqual(['1']);
    await service.unmountRootfs(place('a'));
    expect(inStore('layers')).toEqual([]);
  });

  it('of an image that nobody knows stop all removal', async () => {
    const imageId = await importOne('example.test/x:v1', [[{ name: 'f' }]]);
    service.adopt('stranger', `sha256:${'0'.repeat(64)}`);
    await service.sweep();
    await service.remove(imageId);
    expect([service.find(imageId), inStore('layers')]).toEqual([undefined, ['1']]);
  });

  it('end at once although somebody is inside', async () => {
    const imageId = await importOne('example.test/x:v1', [[{ name: 'd/f' }]]);
    const a = place('a');
    await service.mountRootfs({ imageId, ...a });
    chmodSync(join(a.target, 'd'), 0o700);
    const cwd = process.cwd();
    process.chdir(join(a.target, 'd'));
    try {
      await service.unmountRootfs(a);
      expect(readdirSync(a.target)).toEqual([]);
    } finally {
      process.chdir(cwd);
    }
  });

  it('bring an image back that is pulled again while in use', async () => {
    const layers = [[{ name: 'f' }]];
    const imageId = await importOne('example.test/x:v1', layers);
    await service.sweep();
    const a = place('a');
    await service.mountRootfs({ imageId, ...a });
    await service.remove(imageId);
    await importOne('example.test/y:v1', layers);
    expect(service.resolve(imageId).repoTags).toEqual(['example.test/y:v1']);
    await service.unmountRootfs(a);
    expect([inStore('layers'), inStore('records').length]).toEqual([['1'], 1]);
  });
});
