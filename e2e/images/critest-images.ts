import { file } from '../../scripts/oci-layout/entries.js';
import { image, layer, type Layer, type ProcessConfig } from '../../scripts/oci-layout/image.js';
import type { NamedImage } from '../../scripts/oci-layout/layout.js';
import { compile } from './compile.js';
import { shellRootfs } from './shell.js';

const E2E = 'registry.k8s.io/e2e-test-images';
const STAGING = 'gcr.io/k8s-staging-cri-tools';
const PAUSES = ['3.9', '3.10', '3.10.1', '3.10.2'].map((tag) => `registry.k8s.io/pause:${tag}`);

/**
 * Stand-ins for the images that critest 1.36 pulls, under the names that it asks for. One is missing: the image that
 * it names by digest, whose content only the original has.
 */
export async function critestImages(): Promise<NamedImage[]> {
  const shell = await layer(await shellRootfs());
  return [...(await pauses()), ...(await servers(shell)), ...users(shell), ...(await tags(shell))].concat(
    named(`${E2E}/busybox:1.29-2`, [shell], { Cmd: ['sh'] }),
    named(`${E2E}/nonewprivs:1.3`, [shell, await program('nnp', 'usr/sbin/nnp', 0o4755)], {
      Entrypoint: ['/usr/sbin/nnp'],
    }),
    await predefinedGroup(),
  );
}

async function pauses(): Promise<NamedImage[]> {
  const layers = [await program('pause', 'pause')];
  return [...PAUSES, 'k8s.gcr.io/pause:3.9'].map((name) =>
    named(name, layers, { User: '65535:65535', Entrypoint: ['/pause'] }),
  );
}

/** What they are is in their names: the tests look for nginx among processes, and for httpd in a log. */
async function servers(shell: Layer): Promise<NamedImage[]> {
  const nginx = [shell, await program('web', 'usr/sbin/nginx')];
  const httpd = [shell, await program('web', 'usr/sbin/httpd')];
  return [
    named(`${E2E}/nginx:1.14-2`, nginx, { Cmd: ['/usr/sbin/nginx', '80'] }),
    named(`${E2E}/httpd:2.4.39-4`, httpd, { Cmd: ['/usr/sbin/httpd', '80'] }),
    named(`${STAGING}/hostnet-nginx-amd64:latest`, nginx, { Cmd: ['/usr/sbin/nginx', '12003'] }),
    named(`${STAGING}/hostnet-nginx-arm64:latest`, nginx, { Cmd: ['/usr/sbin/nginx', '12003'] }),
  ];
}

function users(shell: Layer): NamedImage[] {
  const all = { uid: '1002', username: 'www-data', 'uid-group': '1003:root', 'username-group': 'www-data:100' };
  return Object.entries(all).map(([what, User]) =>
    named(`${STAGING}/test-image-user-${what}:latest`, [shell], { User, Cmd: ['sh'] }),
  );
}

/** A user whose supplementary group stands in the image's /etc/group only. */
async function predefinedGroup(): Promise<NamedImage> {
  const rootfs = await shellRootfs({
    passwd: ['default-user:x:1000:1000::/home/default-user:/bin/sh'],
    group: ['default-user:x:1000:', 'group-defined-in-image:x:50000:default-user'],
  });
  return named(`${STAGING}/test-image-predefined-group:latest`, [await layer(rootfs)], { User: '1000', Cmd: ['sh'] });
}

/** Images that only their marker tells apart, and one image with three tags. */
async function tags(shell: Layer): Promise<NamedImage[]> {
  const markers: Readonly<Record<string, string>> = {
    'test-image-latest:latest': 'test-image-latest',
    'test-image-tag:test': 'test',
    'test-image-tag:all': 'all',
    'test-image-1:latest': 'test-image-1',
    'test-image-2:latest': 'test-image-2',
    'test-image-3:latest': 'test-image-3',
    'test-image-tags:1': 'same-image',
    'test-image-tags:2': 'same-image',
    'test-image-tags:3': 'same-image',
  };
  const make = async ([name, marker]: [string, string]): Promise<NamedImage> =>
    named(`${STAGING}/${name}`, [shell, await layer([file(marker, '')])], { Cmd: ['sh'] });
  return Promise.all(Object.entries(markers).map(make));
}

async function program(source: string, path: string, mode = 0o755): Promise<Layer> {
  return layer([file(path, await compile(source), { mode })]);
}

function named(name: string, layers: readonly Layer[], process: ProcessConfig): NamedImage {
  return { name, image: image({ layers, process }) };
}
