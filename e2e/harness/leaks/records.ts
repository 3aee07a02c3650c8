import { readdir } from 'node:fs/promises';
import { join, relative } from 'node:path';

import type { Scratch } from '../scratch.js';

/** The id of a sandbox or container within a name. */
const ID = /(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])/;

/** What has the id of a sandbox or container for a name, below the daemon's directories; images have digests there. */
export async function leakedRecords({ root, state }: Scratch): Promise<string[]> {
  const images = join(root, 'images');
  const found = await Promise.all([namedById(root, images), namedById(state, images)]);
  return found.flat().map((path) => `file ${path}`);
}

/** The topmost paths only: what is inside them is no news. */
async function namedById(dir: string, except: string): Promise<string[]> {
  if (!relative(except, dir).startsWith('..')) return [];
  const entries = await readdir(dir, { withFileTypes: true }).catch(() => []);
  const paths = entries.map(async (entry) => {
    const path = join(dir, entry.name);
    if (ID.test(entry.name)) return [path];
    return entry.isDirectory() ? namedById(path, except) : [];
  });
  return (await Promise.all(paths)).flat();
}
