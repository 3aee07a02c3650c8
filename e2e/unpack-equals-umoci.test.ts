import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { readJson } from '../src/base/files.js';
import { runOk } from '../src/base/spawn.js';
import { mountOverlay, unmount } from '../src/base/sys/sys.js';
import { openHouse, type House } from './harness/house.js';
import { patience } from './harness/settings.js';
import { pushAll } from './images/push.js';
import { layoutAs, writeFixture } from './unpack/layouts.js';
import { listTree, type ListedFile } from './unpack/list-tree.js';
import { copyBySkopeo, madeByBuildah, madeByUmoci, makeSparseFiles, packedByTar } from './unpack/made-by-tools.js';
import { madeHere, type Shape } from './unpack/shapes.js';

const IMAGE = 'registry.k8s.io/shapes/image:1';
/** Of what umoci makes: it lists no parents. */
const UNLISTED = { '/etc': '0' };
const zstd = (tar: Buffer): Buffer => execFileSync('zstd', ['-cq'], { input: tar, maxBuffer: 1 << 30 });

/**
 * Each image is pulled from the registry and its layers are stacked by overlayfs, as for a container; `umoci raw unpack` makes a tree
 * of the same layers. Both must have the same paths, and at each the same type, mode, owner, time of change, extended attributes,
 * content, link target, device, and hard links.
 */
describe('what Gantry unpacks equals what umoci unpacks', () => {
  let house: House;
  let scratch: string;
  beforeAll(async () => {
    house = await openHouse();
  });
  afterAll(() => house.close());

  /** The tree that a container of the image would see. */
  async function pulled(): Promise<Map<string, ListedFile>> {
    await house.crictl.ok('pull', IMAGE);
    const [upper, work, target] = ['upper', 'work', 'target'].map((name) => join(scratch, name)) as [
      string,
      string,
      string,
    ];
    for (const path of [upper, work, target]) await mkdir(path);
    const lower = await layerDirectories(join(house.scratch.root, 'images'));
    // A writable layer would show its own root directory.
    await mountOverlay({ lower: lower.length === 0 ? [upper] : lower, upper, work, target });
    try {
      const tree = listTree(target);
      const [top] = lower;
      const own = top === undefined ? undefined : listTree(top).get('');
      if (own !== undefined) tree.set('', { ...own, xattrs: tree.get('')?.xattrs ?? {} });
      return tree;
    } finally {
      await unmount(target);
      await house.crictl.ok('rmi', IMAGE);
    }
  }

  async function umociTree(layout: string): Promise<Map<string, ListedFile>> {
    const target = join(scratch, 'by-umoci');
    await runOk('umoci', ['raw', 'unpack', '--image', `${layout}:1`, target], { timeoutMs: patience(120_000) });
    return listTree(target);
  }

  async function compare(layout: string, dated: Readonly<Record<string, string>> = {}): Promise<void> {
    const [ours, theirs] = [await pulled(), await umociTree(layout)];
    for (const [path, mtimeNs] of Object.entries(dated)) {
      const made = theirs.get(path);
      if (made !== undefined) theirs.set(path, { ...made, mtimeNs });
    }
    expect([...ours.keys()].sort()).toEqual([...theirs.keys()].sort());
    expect(Object.fromEntries(ours)).toEqual(Object.fromEntries(theirs));
  }

  async function inScratch(test: () => Promise<void>): Promise<void> {
    scratch = await mkdtemp(join(house.scratch.dir, 'shape-'));
    try {
      await test();
    } finally {
      await rm(scratch, { recursive: true });
    }
  }

  async function compareShape({ image, pushed = image, dated }: Shape): Promise<void> {
    const [layout, other] = [join(scratch, 'layout'), join(scratch, 'pushed')];
    await writeFixture(layout, image);
    await writeFixture(other, pushed);
    await pushAll(house.registry.address, [await layoutAs(other, IMAGE)]);
    await compare(layout, dated);
  }

  it.each(madeHere(zstd).map((shape) => [shape.what, shape] as const))('%s', (_, shape) =>
    inScratch(() => compareShape(shape)),
  );

  it.each([
    // umoci refuses GNU's own sparse files, so that it gets the same files packed whole.
    [['--format=gnu', '--sparse'], ['--format=gnu']],
    [['--format=pax', '--sparse', '--sparse-version=0.0'], undefined],
    [['--format=pax', '--sparse', '--sparse-version=0.1'], undefined],
    [['--format=pax', '--sparse', '--sparse-version=1.0', '--xattrs'], undefined],
  ])('files of this machine and sparse ones by GNU tar %j', (options, whole) =>
    inScratch(async () => {
      const dir = join(scratch, 'files');
      await makeSparseFiles(dir);
      const pushed = await packedByTar(dir, ...options);
      await compareShape({ what: '', image: whole === undefined ? pushed : await packedByTar(dir, ...whole), pushed });
    }),
  );

  it.each([
    ['umoci', madeByUmoci, UNLISTED],
    ['buildah', madeByBuildah, {}],
  ])('layers made by %s', (_, make, dated) =>
    inScratch(async () => {
      const layout = await make(scratch);
      await pushAll(house.registry.address, [await layoutAs(layout, IMAGE)]);
      await compare(layout, dated);
    }),
  );

  it.each([
    ['Docker schema 2', ['--format', 'v2s2']],
    ['zstd', ['--dest-compress-format', 'zstd']],
  ])('what skopeo makes of umoci’s: %s', (_, options) =>
    inScratch(async () => {
      const [made, plain] = [await madeByUmoci(scratch), join(scratch, 'plain')];
      await copyBySkopeo(`oci:${made}:1`, `dir:${plain}`, '--dest-decompress');
      await copyBySkopeo(
        `dir:${plain}`,
        `docker://${house.registry.address}/${IMAGE}`,
        '--dest-tls-verify=false',
        ...options,
      );
      await compare(made, UNLISTED);
    }),
  );

  it('leaves nothing behind', () => house.assertEmpty());
});

/** The directories of the one image's layers, top first. */
async function layerDirectories(images: string): Promise<string[]> {
  const [record = ''] = await readdir(join(images, 'records'));
  const { chain } = (await readJson(join(images, 'records', record), 1)) as { chain: string[] };
  const records = await Promise.all(
    (await readdir(join(images, 'layer-records'))).map(
      async (name) =>
        JSON.parse(await readFile(join(images, 'layer-records', name), 'utf8')) as { chainId: string; dir: string },
    ),
  );
  const byChain = new Map(records.map(({ chainId, dir }) => [chainId, join(images, 'layers', dir)]));
  return chain.map((chainId) => byChain.get(chainId) ?? '').reverse();
}
