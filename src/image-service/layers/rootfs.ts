import { chmod, chown, lstat } from 'node:fs/promises';
import { join } from 'node:path';

import { errnoOf } from '../../base/errors.js';
import { ensureDirectory } from '../../base/files.js';
import { toHostId, type UserNamespace } from '../../base/id-mapping.js';
import { mountIdmappedOverlay, mountOverlay, unmount } from '../../base/sys/sys.js';
import type { OverlayRequest } from '../../base/sys/calls.js';

export interface OverlayOptions {
  /** Layer directories, top first; at least one. */
  readonly lower: readonly string[];
  readonly target: string;
  /** Gets `upper` and `work`. */
  readonly writable: string;
  /** Whose ids the files show; the node's without it. */
  readonly userns?: UserNamespace | undefined;
  /** The SELinux label of all files; none is set without it. */
  readonly label?: string | undefined;
}

/**
 * Mounts layers with a writable one on top. It is volatile: nothing waits for a container's files to reach the disk, and
 * the kernel refuses to mount the same upper layer again.
 */
export async function mountLayers({ lower, target, writable, userns, label }: OverlayOptions): Promise<void> {
  const [upper, work] = [join(writable, 'upper'), join(writable, 'work')];
  await Promise.all([makeUpper(upper, { like: lower[0], userns }), ensureDirectory(work), ensureDirectory(target)]);
  await mountAs({ lower, upper, work, target, volatile: true, context: label }, userns);
}

/** Mounts layers to be read alone: two at least, as overlays without a writable one have it. */
export async function mountReadOnly({ lower, target, userns, label }: Omit<OverlayOptions, 'writable'>): Promise<void> {
  await ensureDirectory(target);
  await mountAs({ lower, target, context: label }, userns);
}

function mountAs(request: OverlayRequest, userns: UserNamespace | undefined): Promise<void> {
  return userns === undefined ? mountOverlay(request) : mountIdmappedOverlay(request, userns.path);
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
async function makeUpper(
  upper: string,
  { like: top, userns }: { readonly like: string | undefined; readonly userns: UserNamespace | undefined },
): Promise<void> {
  await ensureDirectory(upper);
  const like = top === undefined ? { uid: 0, gid: 0, mode: 0o755 } : await lstat(top);
  // The upper layer is not idmapped: it has the ids of the node.
  const { uid, gid } =
    userns === undefined ? like : { uid: toHostId(userns.uid, like.uid), gid: toHostId(userns.gid, like.gid) };
  await chown(upper, uid, gid);
  await chmod(upper, like.mode & 0o7777);
}
