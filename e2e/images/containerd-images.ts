import { busybox } from '../../scripts/oci-layout/busybox.js';
import { directory, file, symlink, type Entry } from '../../scripts/oci-layout/entries.js';
import { image, layer, type Layer, type ProcessConfig } from '../../scripts/oci-layout/image.js';
import type { NamedImage } from '../../scripts/oci-layout/layout.js';
import { compile } from './compile.js';
import { shellRootfs } from './shell.js';

/** Ends when it is told to. */
const SERVE = 'trap "exit 0" TERM; while :; do sleep 3600 & wait; done';

/** What nginx does whose log is a link to /dev/stderr: it opens what it could have written to. */
const OPEN_STDERR = 'echo "start worker processes" >/dev/stderr';

/** Each declares a directory as volume that has one file. */
const VOLUMES = {
  '/test_dir': 'test_file',
  '/:colon_prefixed': 'colon_prefixed_file',
  '/C:/weird_test_dir': 'weird_test_file',
};

/** Stand-ins for the images that containerd's integration tests pull, under the names that they ask for. */
export async function containerdImages(): Promise<NamedImage[]> {
  const shell = await layer(await shellRootfs({ group: ['wheel:x:10:root'] }));
  return [
    named('ghcr.io/containerd/busybox:1.36', [shell]),
    named('ghcr.io/containerd/alpine:3.14.0', [await alpine()]),
    named('ghcr.io/containerd/nginx:1.27.0', [shell], { Cmd: ['sh', '-c', `${OPEN_STDERR}; ${SERVE}`] }),
    named('ghcr.io/containerd/volume-copy-up:2.2', [shell, await files()], {
      Volumes: declared(...Object.keys(VOLUMES)),
    }),
    named('ghcr.io/containerd/volume-ownership:2.1', [shell, await nobodys()], { Volumes: declared('/test_dir') }),
    named('registry.k8s.io/e2e-test-images/resource-consumer:1.10', [shell, await stress()], {
      Cmd: ['sh', '-c', SERVE],
    }),
  ];
}

/** Told by its release; its shell is a link that leads out of whatever directory the image is mounted at. */
async function alpine(): Promise<Layer> {
  const rootfs: Entry[] = await busybox({ without: ['sh'] });
  return layer([...rootfs, symlink('bin/sh', '/bin/busybox'), file('etc/os-release', 'NAME="Alpine Linux"\n')]);
}

function files(): Promise<Layer> {
  return layer(Object.entries(VOLUMES).map(([dir, name]) => file(`${dir.slice(1)}/${name}`, 'test_content\n')));
}

function nobodys(): Promise<Layer> {
  return layer([directory('test_dir', { uid: 65_534, gid: 65_534 })]);
}

async function stress(): Promise<Layer> {
  return layer([file('usr/sbin/stress', await compile('stress'), { mode: 0o755 })]);
}

function declared(...paths: string[]): Readonly<Record<string, object>> {
  return Object.fromEntries(paths.map((path) => [path, {}]));
}

/** The label keeps images of the same layers from being one. */
function named(name: string, layers: readonly Layer[], process: ProcessConfig = {}): NamedImage {
  return { name, image: image({ layers, process: { Cmd: ['sh'], Labels: { 'gantry.test': name }, ...process } }) };
}
