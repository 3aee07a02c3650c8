import { realpath } from 'node:fs/promises';

import { errnoOf, failedPrecondition } from './errors.js';
import { removeTree } from './files.js';
import { readMountTable } from './mount-table.js';

/**
 * {@link removeTree} for a directory that held mounts: a volume of the host may show below a root filesystem that could
 * not be unmounted, and must not be emptied with it.
 * @throws failed-precondition naming a mount that is still there.
 */
export async function removeUnmounted(path: string): Promise<void> {
  const real = await realPathOf(path);
  if (real === undefined) return;
  const points = (await readMountTable()).map(({ mountPoint }) => mountPoint);
  const left = points.find((point) => point === real || point.startsWith(`${real}/`));
  if (left !== undefined) throw failedPrecondition(`${left} is still mounted`);
  await removeTree(path);
}

async function realPathOf(path: string): Promise<string | undefined> {
  try {
    return await realpath(path);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return undefined;
    throw error;
  }
}
