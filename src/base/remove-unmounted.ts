import { readFile, realpath } from 'node:fs/promises';

import { errnoOf, failedPrecondition } from './errors.js';
import { removeTree } from './files.js';

/**
 * {@link removeTree} for a directory that held mounts: a volume of the host may show below a root filesystem that could
 * not be unmounted, and must not be emptied with it.
 * @throws failed-precondition naming a mount that is still there.
 */
export async function removeUnmounted(path: string): Promise<void> {
  const real = await realPathOf(path);
  if (real === undefined) return;
  const mounts = (await readFile('/proc/self/mounts', 'utf8')).split('\n');
  const left = mounts.map(mountPoint).find((point) => point === real || point.startsWith(`${real}/`));
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

/** The second field; white space and backslashes are octal there. */
function mountPoint(line: string): string {
  return (line.split(' ')[1] ?? '').replace(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );
}
