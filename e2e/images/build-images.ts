import { mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';

import { PROJECT_ROOT } from '../../scripts/project-root.js';
import { readLayout, writeLayout, type ImageLayout } from '../../scripts/oci-layout/layout.js';
import { ensureDirectory } from '../../src/base/files.js';
import { containerdImages } from './containerd-images.js';
import { critestImages } from './critest-images.js';
import { hashInputs } from './inputs.js';
import { ownImages } from './own-images.js';

/** Where the images are kept between runs. */
export const IMAGES_DIR = join(PROJECT_ROOT, '.cache', 'images');

/** The images of all suites, in one layout below `dir`; built only when something that decides them has changed. */
export async function buildImages(dir: string = IMAGES_DIR): Promise<ImageLayout[]> {
  await ensureDirectory(dir, 0o755);
  const name = await hashInputs();
  const layout = join(dir, name);
  if (!(await readdir(dir)).includes(name)) await build(dir, layout);
  return readLayout(layout);
}

/** Renamed into place when complete; what other inputs gave is dropped. */
async function build(dir: string, layout: string): Promise<void> {
  const old = await readdir(dir);
  const fresh = await mkdtemp(join(dir, '.new-'));
  await writeLayout(fresh, [...(await critestImages()), ...(await containerdImages()), ...(await ownImages())]);
  await Promise.all(old.map((name) => rm(join(dir, name), { recursive: true, force: true })));
  await rename(fresh, layout);
}
