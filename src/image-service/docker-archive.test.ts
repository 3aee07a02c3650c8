import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { codeOf, describeError } from '../base/errors.js';
import { rejection } from '../base/testing.js';
import { HOST_ARCHITECTURE, imageOf, sha256, writeLayout } from './image-fixture.js';
import { tarOf } from './layers/tar-fixture.js';
import { PullHouse } from './pull-fixture.js';

let house: PullHouse;
let dir: string;

beforeEach(async () => {
  house = await new PullHouse().open();
  dir = join(house.root, 'archive');
  mkdirSync(dir);
});
afterEach(() => house.close());

const tar = tarOf([{ name: 'f', data: 'hello' }]);
const config = (...diffIds: string[]): string =>
  JSON.stringify({
    architecture: HOST_ARCHITECTURE,
    os: 'linux',
    config: {},
    rootfs: { type: 'layers', diff_ids: diffIds },
  });

/** Writes an archive's `manifest.json`. */
const list = (...entries: object[]): void => writeFileSync(join(dir, 'manifest.json'), JSON.stringify(entries));
const write = (name: string, data: string | Buffer): void => writeFileSync(join(dir, name), data);
const failure = async (): Promise<string> => {
  const error = await rejection(house.service.importLayout(dir));
  return `${codeOf(error) ?? ''}: ${describeError(error)}`;
};

describe('a docker-archive', () => {
  it('of another tool is imported with its names and its id', async () => {
    const image = imageOf({ layers: [[{ name: 'a', data: '1' }], [{ name: 'b', data: '2' }]], docker: true });
    const layout = join(house.root, 'layout');
    writeLayout(layout, { '': image });
    const file = join(house.root, 'saved.tar');
    const policy = ['--insecure-policy', 'copy', '--quiet'];
    execFileSync('skopeo', [...policy, `oci:${layout}`, `docker-archive:${file}:example.test/saved:v1`]);
    const [saved] = await house.service.importLayout(file);
    expect(saved?.repoTags).toEqual(['example.test/saved:v1']);
    expect(saved?.chain).toHaveLength(2);
    const layer = join(house.root, 'images', 'layers');
    expect(house.list('layers').some((name) => existsSync(join(layer, name, 'b')))).toBe(true);
  });

  it('may have links for equal layers, compressed layers and several images', async () => {
    const zipped = tarOf([{ name: 'z' }]);
    mkdirSync(join(dir, 'one'));
    mkdirSync(join(dir, 'two'));
    write('one/layer.tar', tar);
    symlinkSync('../one/layer.tar', join(dir, 'two', 'layer.tar'));
    write('z.tar.gz', gzipSync(zipped));
    write('a.json', config(sha256(tar), sha256(zipped)));
    write('b.json', config(sha256(tar)));
    list(
      { Config: 'a.json', RepoTags: ['a:1', 'example.test/a:2'], Layers: ['one/layer.tar', 'z.tar.gz'] },
      { Config: 'b.json', RepoTags: null, Layers: ['two/layer.tar'] },
    );
    const imported = await house.service.importLayout(dir);
    expect(imported.map(({ repoTags }) => repoTags)).toEqual([['docker.io/library/a:1', 'example.test/a:2'], []]);
    expect(imported[0]?.id).toBe(sha256(config(sha256(tar), sha256(zipped))));
    expect(house.list('layers')).toHaveLength(2);
  });

  it('is refused when it leads elsewhere, lacks something or lies', async () => {
    write('ok.json', config(sha256(tar)));
    write('layer.tar', tar);
    symlinkSync('/etc/passwd', join(dir, 'link'));
    list({ Config: '../../../etc/passwd', Layers: [] });
    expect(await failure()).toMatch(
      /^data-loss: .*passwd" (leads out of the archive|is missing)|^data-loss: .* lacks ".*passwd"/,
    );
    list({ Config: 'ok.json', Layers: ['link'] });
    expect(await failure()).toMatch(/^data-loss: .*"link" leads out of the archive/);
    list({ Config: 'ok.json', Layers: ['none.tar'] });
    expect(await failure()).toMatch(/^data-loss: .*lacks "none.tar"/);
    write('layer.tar', tarOf([{ name: 'other' }]));
    list({ Config: 'ok.json', Layers: ['layer.tar'] });
    expect(await failure()).toMatch(/^data-loss: .*uncompressed digest/);
    const digested = `example.test/x@sha256:${'0'.repeat(64)}`;
    list({ Config: 'ok.json', Layers: [], RepoTags: [digested] });
    write('ok.json', config());
    expect(await failure()).toMatch(new RegExp(`^invalid-argument: .*no digests, so none is ${digested}`));
    list();
    expect(await failure()).toMatch(/lists no images/);
    write('manifest.json', '{');
    expect(await failure()).toMatch(/is not JSON/);
    expect(await house.leftovers()).toEqual([]);
  });
});
