import { chmod, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import type { Descriptor } from '../../scripts/oci-layout/blob.js';
import { HOST_PLATFORM } from '../../scripts/oci-layout/image.js';
import { readBlob, type ImageLayout } from '../../scripts/oci-layout/layout.js';
import { run, runOk } from '../../src/base/spawn.js';
import { startRegistry, type Registry } from '../harness/registry.js';
import { buildImages } from './build-images.js';
import { OWN } from './own-images.js';
import { pushAll } from './push.js';

interface Manifest {
  readonly mediaType: string;
  readonly config: Descriptor;
  readonly layers?: readonly Descriptor[];
  readonly manifests: readonly Descriptor[];
}

describe('images', () => {
  let dir: string;
  let images: ImageLayout[];
  let registry: Registry;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'gantry-images-'));
    images = await buildImages(join(dir, 'cache'));
    registry = await startRegistry(join(dir, 'registry'));
    await pushAll(registry.address, images);
  });
  afterAll(async () => {
    await registry.stop();
    await rm(dir, { recursive: true });
  });

  function find(name: string): ImageLayout {
    const found = images.find((each) => each.name === name);
    if (found === undefined) throw new TypeError(`no image ${name}`);
    return found;
  }

  async function manifestOf(name: string): Promise<Manifest> {
    const { dir: layout, root } = find(name);
    return JSON.parse((await readBlob(layout, root)).data.toString()) as Manifest;
  }

  /** Unpacks an image's layers one over another with GNU tar, which knows no whiteouts. */
  async function unpack(name: string): Promise<string> {
    const root = await mkdtemp(join(dir, 'root-'));
    await chmod(root, 0o755);
    for (const each of (await manifestOf(name)).layers ?? []) {
      const { data } = await readBlob(find(name).dir, each);
      await runOk('tar', ['-xzpf', '-', '-C', root], { timeoutMs: 30_000, stdin: data });
    }
    return root;
  }

  async function inRoot(root: string, ...command: string[]): Promise<string> {
    const { stdout, stderr } = await run('unshare', ['--net', 'chroot', root, ...command], { timeoutMs: 10_000 });
    return stdout.toString() + stderr.toString();
  }

  it('takes them from the cache when nothing has changed', async () => {
    const [layout = ''] = await readdir(join(dir, 'cache'));
    expect(await buildImages(join(dir, 'cache'))).toEqual(images);
    expect(await readdir(join(dir, 'cache'))).toEqual([layout]);
  });

  it('are the same when built anew', async () => {
    const again = await buildImages(join(dir, 'again'));
    expect(again.map(({ root }) => root)).toEqual(images.map(({ root }) => root));
  });

  it('have a shell that executes programs instead of being them', async () => {
    const root = await unpack('registry.k8s.io/e2e-test-images/busybox:1.29-2');
    expect(await inRoot(root, 'sh', '-c', 'echo $((6 * 7)); ls -d /etc')).toBe('42\n/etc\n');
    await chmod(join(root, 'bin/ls'), 0);
    // critest looks for these very words.
    expect(await inRoot(root, '/bin/sh', '-c', 'ls')).toBe('/bin/sh: ls: Permission denied\n');
    await rm(join(root, 'bin/ls'));
    expect(await inRoot(root, 'sh', '-c', 'ls')).toMatch(/ls: not found/);
  });

  it('have the programs that critest looks for', async () => {
    const nnp = await unpack('registry.k8s.io/e2e-test-images/nonewprivs:1.3');
    expect(await inRoot(nnp, 'su', '-s', '/usr/sbin/nnp', 'nobody')).toBe('Effective uid: 0\n');
    const root = await unpack('registry.k8s.io/e2e-test-images/httpd:2.4.39-4');
    await writeFile(join(root, 'dev/null'), '');
    const ask = 'sleep 0.3; wget -qO - http://127.0.0.1/';
    const script = `ip link set lo up; timeout 1 /usr/sbin/httpd 80 & ${ask}; wait`;
    // The server and the client write to the same pipe, in either order.
    const lines = (await inRoot(root, 'sh', '-c', script)).trim().split('\n').sort();
    expect(lines).toEqual([
      '<html><body>It works!</body></html>',
      'httpd: GET / HTTP/1.1 200',
      'httpd: listening on port 80',
    ]);
  });

  it.each([
    [OWN.platforms, 'application/vnd.oci.image.index.v1+json'],
    [OWN.dockerPlatforms, 'application/vnd.docker.distribution.manifest.list.v2+json'],
    [OWN.docker, 'application/vnd.docker.distribution.manifest.v2+json'],
    [OWN.plain, 'application/vnd.oci.image.manifest.v1+json'],
  ])('are served by the registry: %s', async (name, mediaType) => {
    const [, path = '', tag = ''] = /^(.*):(.*)$/.exec(name) ?? [];
    const url = `http://${registry.address}/v2/${path}/manifests/${tag}`;
    const response = await fetch(url, { headers: { accept: mediaType } });
    expect(response.headers.get('content-type')).toBe(mediaType);
    expect(response.headers.get('docker-content-digest')).toBe(find(name).root.digest);
  });

  it('reach the registry with every blob in each repository', async () => {
    for (const { name } of images) {
      const { layers } = await manifestOf(name);
      const path = name.slice(0, name.lastIndexOf(':'));
      for (const { digest, size } of layers ?? []) {
        const head = await fetch(`http://${registry.address}/v2/${path}/blobs/${digest}`, { method: 'HEAD' });
        expect([name, head.status, head.headers.get('content-length')]).toEqual([name, 200, String(size)]);
      }
    }
  });

  it('list this platform behind another one', async () => {
    const { manifests } = await manifestOf(OWN.platforms);
    expect(manifests.map(({ platform }) => platform?.architecture)).toEqual(['s390x', HOST_PLATFORM.architecture]);
    expect((await manifestOf(OWN.foreign)).manifests).toHaveLength(1);
  });
});
