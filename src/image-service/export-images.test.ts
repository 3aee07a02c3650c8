import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { abortReason } from '../base/abort.js';
import { cancelled } from '../base/errors.js';
import type { ExportResult } from './export-images.js';
import { imageOf, sha256, writeLayout } from './image-fixture.js';
import { PullHouse, serveImage } from './pull-fixture.js';
import type { ImageRecord } from './types.js';

const LONG = `${'d'.repeat(90)}/${'f'.repeat(200)}`;
const CAPABILITY = Buffer.from('0100000200040000000000000000000000000000', 'hex');
/** A tree with one of each, whatever an archive may have trouble with. */
const odd = imageOf({
  config: { Cmd: ['/bin/odd'], Env: ['A=b'] },
  layers: [
    [
      { name: 'etc', flag: '5', mode: 0o2750, uid: 3_000_000, gid: 7 },
      { name: 'etc/first', data: 'x'.repeat(70_000), mode: 0o4711, pax: { mtime: '1700000000.123456789' } },
      { name: 'etc/second', flag: '1', link: 'etc/first' },
      { name: 'etc/link', flag: '2', link: 'y'.repeat(99) },
      { name: 'etc/long', flag: '2', pax: { linkpath: 'z'.repeat(300) } },
      { name: 'etc/null', flag: '3', device: [1, 3], mode: 0o666 },
      { name: 'etc/disk', flag: '4', device: [259, 300] },
      { name: 'etc/fifo', flag: '6' },
      {
        name: 'etc/caps',
        data: '',
        pax: { 'SCHILY.xattr.security.capability': CAPABILITY, 'SCHILY.xattr.user.b': 'two' },
      },
      { name: 'x', flag: '5', pax: { path: LONG.slice(0, 90) } },
      { name: 'x', data: 'long', pax: { path: LONG } },
      { name: 'latin\xe9', data: 'no UTF-8' },
      { name: 'gone', data: 'gone' },
      { name: 'hidden/a', data: 'a' },
    ],
    [{ name: '.wh.gone' }, { name: 'hidden/.wh..wh..opq' }, { name: 'hidden/b', data: 'b' }],
    [],
  ],
});
const plain = imageOf({
  layers: [[{ name: 'hello', data: 'hello' }]],
  spoil: (manifest) => (manifest['annotations'] = { maker: 'me' }),
});
const artifact = imageOf({
  layers: [[{ name: 'model' }]],
  spoil: (manifest) => {
    manifest['artifactType'] = 'application/vnd.example.model';
    (manifest['config'] as { mediaType: string }).mediaType = 'application/vnd.oci.empty.v1+json';
  },
});

let from: PullHouse;
let to: PullHouse;

beforeEach(async () => {
  [from, to] = [await new PullHouse().open(), await new PullHouse().open()];
  writeLayout(join(from.root, 'layout'), { 'example.test/odd:v1': odd, 'example.test/plain:v1': plain });
  await from.service.importLayout(join(from.root, 'layout'));
});
afterEach(() => Promise.all([from.close(), to.close()]));

async function exportTo(
  house: PullHouse,
  names: string[],
  format: 'oci' | 'docker',
): Promise<{ file: string; results: ExportResult[] }> {
  const stream = house.service.export(names, { format });
  const chunks: Uint8Array[] = [];
  for (;;) {
    const next = await stream.next();
    if (next.done) {
      const file = join(house.root, `${format}.tar`);
      writeFileSync(file, Buffer.concat(chunks));
      return { file, results: next.value };
    }
    chunks.push(next.value);
  }
}

/** All of an image's unpacked layers, as GNU tar sees them, but for the whiteout, whose time means nothing. */
function treesOf(house: PullHouse, { chain }: ImageRecord): string[] {
  const directory = join(house.root, 'images');
  const records = readdirSync(join(directory, 'layer-records')).map(
    (name) =>
      JSON.parse(readFileSync(join(directory, 'layer-records', name), 'utf8')) as { chainId: string; dir: string },
  );
  const digests = records.map(({ chainId, dir }) => {
    const options = [
      '--exclude=./gone',
      '--sort=name',
      '--format=posix',
      '--xattrs',
      '--xattrs-include=*',
      '--numeric-owner',
      '--pax-option=exthdr.name=x,delete=atime,delete=ctime',
    ];
    return [
      chainId,
      sha256(execFileSync('tar', [...options, '-C', join(directory, 'layers', dir), '-cf', '-', '.'])),
    ] as const;
  });
  const byChain = new Map(digests);
  return chain.map((chainId) => byChain.get(chainId) ?? 'missing');
}

describe.each(['oci', 'docker'] as const)('an export as %s', (format) => {
  it('has the same trees and configuration when it is imported, and is the same when exported again', async () => {
    const before = from.service.resolve('example.test/odd:v1');
    const first = await exportTo(from, ['example.test/odd:v1'], format);
    expect(first.results).toEqual([
      { names: ['example.test/odd:v1'], id: odd.id, exportedId: expect.not.stringMatching(odd.id) },
    ]);
    const [imported] = await to.service.importLayout(first.file);
    expect(imported).toMatchObject({
      id: first.results[0]?.exportedId,
      repoTags: ['example.test/odd:v1'],
      config: before.config,
    });
    expect(treesOf(to, imported as ImageRecord)).toEqual(treesOf(from, before));
    const second = await exportTo(to, ['example.test/odd:v1'], format);
    expect(second.results[0]).toEqual({ names: ['example.test/odd:v1'], id: imported?.id, exportedId: imported?.id });
    expect(sha256(readFileSync(second.file))).toBe(sha256(readFileSync(first.file)));
  });

  it('has several images, each under the name that it was asked for by', async () => {
    const { file } = await exportTo(from, ['example.test/plain:v1', odd.id], format);
    const imported = await to.service.importLayout(file);
    expect(imported.map(({ repoTags }) => repoTags)).toEqual([['example.test/plain:v1'], ['example.test/odd:v1']]);
  });
});

describe('an export', () => {
  it('is understood by GNU tar', async () => {
    const { file } = await exportTo(from, ['example.test/odd:v1'], 'docker');
    const directory = join(from.root, 'docker');
    mkdirSync(directory);
    execFileSync('tar', ['-xf', file, '-C', directory]);
    const [{ Layers: layers }] = JSON.parse(readFileSync(join(directory, 'manifest.json'), 'utf8')) as [
      { Layers: string[] },
    ];
    const listed = layers.map((layer) =>
      execFileSync('tar', ['-tf', join(directory, layer), '--quoting-style=escape']).toString(),
    );
    expect(listed[0]).toContain(`${LONG}\n`);
    expect(listed[1]?.split('\n').sort()).toEqual(['', './', '.wh.gone', 'hidden/', 'hidden/.wh..wh..opq', 'hidden/b']);
    expect(listed[2]).toBe('./\n');
  });

  it('leaves nothing behind, also when it is broken off', async () => {
    const stream = from.service.export(['example.test/odd:v1'], { format: 'oci' });
    await stream.next();
    await stream.return([]);
    const gone = AbortSignal.abort(cancelled('left'));
    await expect(from.service.export([odd.id], { format: 'oci', signal: gone }).next()).rejects.toBe(abortReason(gone));
    await from.service.close();
    expect(from.list('ingest')).toEqual([]);
  });

  it('keeps the annotations of a manifest', async () => {
    const { file } = await exportTo(from, ['example.test/plain:v1'], 'oci');
    const [imported] = await to.service.importLayout(file);
    expect(imported?.annotations).toEqual({ maker: 'me' });
  });

  it('makes no image of an artifact', async () => {
    await from.registry('a.test', serveImage(artifact));
    const { artifactType } = await from.service.pull('a.test/model:v1');
    expect(artifactType).toBe('application/vnd.example.model');
    await expect(exportTo(from, ['a.test/model:v1'], 'oci')).rejects.toMatchObject({
      code: 'failed-precondition',
      message: 'a.test/model:v1 is an OCI artifact, which is pulled, not exported',
    });
  });

  it('needs an image', () => {
    expect(() => from.service.export(['example.test/none'], { format: 'oci' })).toThrow('is not here');
  });
});
