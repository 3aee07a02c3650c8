import { lstat, opendir } from 'node:fs/promises';

import { addEntry, isGone, joinBytes, rounded, type TreeUse } from './tree-use.js';

/** Entries looked at side by side. */
const AT_ONCE = 16;

/**
 * As `measureTree`, without a thread of its own, for trees of at most `most` entries; undefined for a larger one, as soon
 * as that is known.
 */
export async function measureSmallTree(root: string, most: number): Promise<TreeUse | undefined> {
  let sum: TreeUse = { bytes: 0, inodes: 0 };
  const directories: Buffer[] = [];
  const add = async (path: Buffer): Promise<void> => {
    const stat = await orGone(lstat(path));
    if (stat === undefined) return;
    sum = addEntry(sum, stat);
    if (stat.isDirectory()) directories.push(path);
  };
  await add(Buffer.from(root));
  let left = most;
  for (let dir = directories.pop(); dir !== undefined; dir = directories.pop()) {
    const names = await namesIn(dir, left + 1);
    left -= names.length;
    if (left < 0) return undefined;
    for (let i = 0; i < names.length; i += AT_ONCE) {
      const path = dir;
      await Promise.all(names.slice(i, i + AT_ONCE).map((name) => add(joinBytes(path, name))));
    }
  }
  return rounded(sum);
}

/** At most so many names of a directory. */
async function namesIn(path: Buffer, most: number): Promise<Buffer[]> {
  // Types of Node 20 know no buffers here; the function does.
  const options = { encoding: 'buffer' as BufferEncoding };
  const dir = await orGone(opendir(path as unknown as string, options));
  const names: Buffer[] = [];
  if (dir === undefined) return names;
  try {
    for (let entry = await dir.read(); entry !== null && names.length < most; entry = await dir.read())
      names.push(entry.name as unknown as Buffer);
  } finally {
    await dir.close();
  }
  return names;
}

async function orGone<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}
