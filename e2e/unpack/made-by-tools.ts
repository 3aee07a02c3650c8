import { mkdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { runOk } from '../../src/base/spawn.js';
import type { FixtureImage } from '../../src/image-service/image-fixture.js';
import { patience } from '../harness/settings.js';
import { imageOfArchives } from './shapes.js';

const run = async (command: string, ...args: string[]): Promise<string> =>
  (await runOk(command, args, { timeoutMs: patience(120_000) })).stdout.toString().trim();

/** Directories are listed before what is in them: umoci dates others by its clock. */
const PARENTS = ['etc', 'usr', 'usr/bin', 'usr/share'];
const MACHINE = ['etc/alternatives', 'etc/pam.d', 'etc/shadow', 'usr/bin/passwd', 'usr/share/zoneinfo'];

/** Makes files with holes: one that is nothing else, and one of more fragments than a block of GNU's own format lists. */
export async function makeSparseFiles(dir: string): Promise<void> {
  const name = join(dir, `sparse-${'n'.repeat(110)}`);
  const content = Buffer.alloc(40 * 65_536);
  for (let part = 0; part < 40; part++) content.write(`part ${part} `.repeat(50), part * 65_536);
  await mkdir(dir);
  await writeFile(join(dir, 'hole'), '');
  await truncate(join(dir, 'hole'), 3_000_000);
  await writeFile(name, content);
  await run('fallocate', '--dig-holes', name);
}

/** Packs a directory's files and a part of this machine's by GNU tar. */
export async function packedByTar(dir: string, ...options: string[]): Promise<FixtureImage> {
  const file = `${dir}.tar`;
  await run(
    'tar',
    ...options,
    '-cf',
    file,
    '-C',
    dir,
    '.',
    '-C',
    '/',
    '--no-recursion',
    ...PARENTS,
    '--recursion',
    ...MACHINE,
  );
  return imageOfArchives([await readFile(file)]);
}

/** An OCI layout with the image `1` whose second layer umoci made of changes to the first. */
export async function madeByUmoci(scratch: string): Promise<string> {
  const [layout, bundle] = [join(scratch, 'umoci'), join(scratch, 'bundle')];
  const image = ['--image', `${layout}:1`];
  await run('umoci', 'init', '--layout', layout);
  await run('umoci', 'new', ...image);
  await run('umoci', 'insert', ...image, '/etc/pam.d', '/etc/pam.d');
  await run('umoci', 'insert', ...image, '/usr/share/zoneinfo/Etc', '/opt/zones');
  await run('umoci', 'unpack', ...image, bundle);
  await run(
    'sh',
    '-c',
    `cd ${bundle}/rootfs && rm etc/pam.d/su && chmod 700 opt && mkdir -p new/dir && echo x >new/dir/f &&
    chown 5:70000 new/dir/f && ln new/dir/f new/hard && ln -s dir new/link && mkfifo new/pipe && mknod new/null c 1 3 && rm -r opt/zones`,
  );
  await run('umoci', 'repack', ...image, bundle);
  await run('umoci', 'insert', '--opaque', ...image, '/etc/alternatives', '/new');
  return layout;
}

/** The same by buildah. */
export async function madeByBuildah(scratch: string): Promise<string> {
  const layout = join(scratch, 'buildah');
  const stores = ['--storage-driver', 'vfs', '--root', join(scratch, 'b-root'), '--runroot', join(scratch, 'b-run')];
  const buildah = (...args: string[]): Promise<string> => run('buildah', ...stores, ...args);
  const first = await buildah('from', 'scratch');
  await buildah('add', '--quiet', first, '/etc/pam.d', '/etc/pam.d');
  await buildah('add', '--quiet', '--chown', '70000:5', first, '/usr/share/zoneinfo/Etc', '/opt/zones');
  await buildah('config', '--env', 'A=b', first);
  await buildah('commit', '--quiet', first, 'localhost/base:1');
  const second = await buildah('from', '--pull-never', 'localhost/base:1');
  const root = await buildah('mount', second);
  await run(
    'sh',
    '-c',
    `cd ${root} && rm etc/pam.d/su && rm -r opt/zones && echo x >opt/zones && mkdir -m 1777 tmp &&
    cp /bin/ls tmp/ls && setcap cap_net_raw+ep tmp/ls && ln tmp/ls tmp/hard && chmod 700 etc`,
  );
  await buildah('umount', second);
  await buildah('commit', '--quiet', '--format', 'oci', second, `oci:${layout}:1`);
  return layout;
}

/** Copies an image between layouts and registries by skopeo. */
export async function copyBySkopeo(from: string, to: string, ...options: string[]): Promise<void> {
  await run('skopeo', '--insecure-policy', 'copy', '--quiet', ...options, from, to);
}
