import { createCipheriv } from 'node:crypto';
import { mkdtemp, readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';

import type { Entry } from '../../scripts/oci-layout/entries.js';
import { image, layer } from '../../scripts/oci-layout/image.js';
import { readLayout, writeLayout, type ImageLayout } from '../../scripts/oci-layout/layout.js';
import { PROJECT_ROOT } from '../../scripts/project-root.js';
import { ensureDirectory } from '../../src/base/files.js';

/** Raised when what {@link shapes} makes changes, so that kept images are made anew. */
const VERSION = 1;
const DIRECTORY = join(PROJECT_ROOT, '.cache', 'bench');
const LAYERS = 10;
const LAYER_BYTES = 50 * 1024 * 1024;
const FILES_IN_DIRECTORY = 100;

/** What is pulled: 500 MB in 10 layers, in files of one size. */
export const SHAPES = [
  { name: 'small files', reference: 'bench.test/small:v1', fileBytes: 8 * 1024 },
  { name: 'large files', reference: 'bench.test/large:v1', fileBytes: 10 * 1024 * 1024 },
] as const;
export type Shape = (typeof SHAPES)[number];

/** Makes the images, once: they are the same on every machine. */
export async function benchImages(): Promise<ImageLayout[]> {
  await ensureDirectory(DIRECTORY, 0o755);
  const present = await readdir(DIRECTORY);
  const all: ImageLayout[] = [];
  for (const shape of SHAPES) {
    const name = `${shape.name.replace(' ', '-')}-${VERSION}`;
    if (!present.includes(name)) await make(shape, join(DIRECTORY, name));
    all.push(...(await readLayout(join(DIRECTORY, name))));
  }
  return all;
}

async function make({ name, reference, fileBytes }: Shape, directory: string): Promise<void> {
  process.stderr.write(`making the image of ${name}\n`);
  const fresh = await mkdtemp(join(DIRECTORY, '.new-'));
  const layers = [];
  for (let index = 0; index < LAYERS; index++) layers.push(await layer(filesOf(index, fileBytes)));
  await writeLayout(fresh, [{ name: reference, image: image({ layers }) }]);
  await rename(fresh, directory);
}

function filesOf(layerIndex: number, fileBytes: number): Entry[] {
  const content = contentOf(layerIndex);
  const count = LAYER_BYTES / fileBytes;
  return Array.from({ length: count }, (_, index) => {
    const directory = String(Math.floor(index / FILES_IN_DIRECTORY));
    const data = content.subarray(index * fileBytes, (index + 1) * fileBytes);
    return { type: 'file', path: `layer${layerIndex}/${directory}/${index}`, mode: 0o644, uid: 0, gid: 0, data };
  });
}

/** Bytes that compress to about half: a quarter kibibyte that looks like chance, then a quarter that repeats, and so on. */
function contentOf(seed: number): Buffer {
  const cipher = createCipheriv('aes-128-ctr', Buffer.alloc(16, seed + 1), Buffer.alloc(16));
  const content = cipher.update(Buffer.alloc(LAYER_BYTES));
  for (let at = 256; at < content.length; at += 512)
    content.fill('a line of a text that says the same again\n', at, at + 256);
  return content;
}
