import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

import type { Scratch } from '../scratch.js';

/** The id of a sandbox or container within a name. */
const ID = /(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])/;

/**
 * What has the id of a sandbox or container for a name, below the daemon's directories; images have digests there. What
 * could not be read is kept for people to look at.
 */
export async function leakedRecords({ root, state }: Scratch): Promise<string[]> {
  const except = [join(root, 'images'), join(root, 'quarantine')];
  const found = await Promise.all([namedById(root, except), namedById(state, except)]);
  return found
    .flat()
    .filter((path) => !path.endsWith('.corrupt'))
    .map((path) => `file ${path}`);
}

/** The topmost paths only: what is inside them is no news. */
async function namedById(dir: string, except: readonly string[]): Promise<string[]> {
  if (except.includes(dir)) return [];
  const entries = await readdir(dir, { withFileTypes: true }).catch(() => []);
  const paths = entries.map(async (entry) => {
    const path = join(dir, entry.name);
    if (ID.test(entry.name)) return [path];
    return entry.isDirectory() ? namedById(path, except) : [];
  });
  return (await Promise.all(paths)).flat();
}
