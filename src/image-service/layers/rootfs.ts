import { chmod, chown, lstat, mkdir } from 'node:fs/promises';
import { join } from 'node:path';

import { errnoOf } from '../../base/errors.js';
import { mountOverlay, unmount } from '../../base/sys/sys.js';

export interface OverlayOptions {
  /** Layer directories, top first; at least one. */
  readonly lower: readonly string[];
  readonly target: string;
  /** Gets `upper` and `work`. */
  readonly writable: string;
}

/**
 * Mounts layers with a writable one on top. It is volatile: nothing waits for a container's files to reach the disk, and
 * the kernel refuses to mount the same upper layer again.
 */
export async function mountLayers({ lower, target, writable }: OverlayOptions): Promise<void> {
  const [upper, work] = [join(writable, 'upper'), join(writable, 'work')];
  await Promise.all([makeUpper(upper, lower[0]), mkdir(work, { recursive: true }), mkdir(target, { recursive: true })]);
  await mountOverlay({ lower, upper, work, target, volatile: true });
}

/** Unmounts what is mounted there, if anything; what is still busy leaves the tree at once and ends with its last user. */
export async function unmountLayers(target: string): Promise<void> {
  try {
    await unmount(target);
  } catch (error) {
    if (errnoOf(error) !== 'EBUSY') throw error;
    await unmount(target, { detach: true });
  }
}

/** The root directory that a container sees is the upper layer's: it must look like the image's. */
async function makeUpper(upper: string, top: string | undefined): Promise<void> {
  await mkdir(upper, { recursive: true });
  const like = top === undefined ? { uid: 0, gid: 0, mode: 0o755 } : await lstat(top);
  await chown(upper, like.uid, like.gid);
  await chmod(upper, like.mode & 0o7777);
}
