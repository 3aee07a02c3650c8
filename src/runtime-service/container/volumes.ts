import { chown, mkdir, readdir } from 'node:fs/promises';
import { join, posix } from 'node:path';

import { errnoOf, unstartable, wrapError } from '../../base/errors.js';
import { ensureDirectory } from '../../base/files.js';
import { toHostId, type UserNamespace } from '../../base/id-mapping.js';
import { runOk } from '../../base/spawn.js';
import { findInRoot, unmount } from '../../base/sys/sys.js';
import { relabel } from '../../oci/selinux/relabel.js';
import type { ContainerMount } from '../../oci/spec/mounts.js';
import type { ContainerContext, ContainerImage } from './context.js';
import type { ContainerPaths } from './paths.js';
import type { ContainerRecord } from './types.js';

interface VolumeParts {
  readonly record: ContainerRecord;
  readonly image: ContainerImage;
  readonly paths: ContainerPaths;
  readonly userns: UserNamespace | undefined;
  /** The container's SELinux label of files, where it has one. */
  readonly label: string | undefined;
}

/**
 * A container's own mounts with paths of the host: images among them are mounted below the bundle, and what its image
 * declares as volumes gets a directory each with the image's content, unless a mount of the request is there.
 */
export async function prepareVolumes(context: ContainerContext, parts: VolumeParts): Promise<ContainerMount[]> {
  const { mounts } = parts.record.config;
  const own = await mountImages(context, parts);
  const declared = declaredPaths(parts.image, mounts);
  const made: ContainerMount[] = [];
  for (const [index, path] of declared.entries()) {
    const hostPath = join(context.store.dirOf(parts.record.id), 'volumes', String(index));
    await copyOut(path, { hostPath, parts, timeoutMs: context.runtimes.of(parts.record).options.timeoutMs });
    if (parts.label !== undefined) await relabel(hostPath, parts.label);
    made.push({ containerPath: path, hostPath, readonly: false, propagation: 'private' });
  }
  return [...own, ...made];
}

/** With the name that kubelet's users and tools look for in a waiting container's message (k8s.io/cri-api, pkg/errors). */
export function imageVolumeError(error: unknown, containerPath: string): Error {
  return wrapError(error, `ImageVolumeMountFailed: the image volume at ${containerPath}`);
}

/** Idmapped layers show the pod's ids already, so such a mount has no mappings of its own. */
async function mountImages(context: ContainerContext, parts: VolumeParts): Promise<ContainerMount[]> {
  const { record, paths, userns, label } = parts;
  const images = [...(record.volumeImages ?? [])];
  const mounts: ContainerMount[] = [];
  for (const mount of record.config.mounts) {
    const found = mount.image === undefined ? undefined : images.shift();
    if (mount.image === undefined || found === undefined) {
      mounts.push(mount);
      continue;
    }
    const target = join(paths.volumes, String(mounts.length));
    const { subPath } = mount.image;
    const { containerPath, propagation } = mount;
    await context.images
      .mountVolume({ imageId: found.imageId, owner: record.id, target, subPath, userns, label })
      .catch((error: unknown) => {
        throw imageVolumeError(error, containerPath);
      });
    mounts.push({ containerPath, hostPath: target, readonly: true, propagation });
  }
  return mounts;
}

/** An image may declare anything. */
const MAX_DECLARED = 100;

function declaredPaths({ id, config: { volumes = [] } }: ContainerImage, mounts: readonly ContainerMount[]): string[] {
  const taken = new Set(mounts.map(({ containerPath }) => normalize(containerPath)));
  const wanted = [...new Set(volumes.map(normalize))].filter((path) => !taken.has(path));
  const bad = wanted.find((path) => path === '/' || path.includes('\0'));
  if (bad !== undefined) throw unstartable(`image ${id} declares "${bad}" as a volume`);
  if (wanted.length > MAX_DECLARED)
    throw unstartable(`image ${id} declares ${wanted.length} volumes, more than ${MAX_DECLARED}`);
  return wanted;
}

function normalize(path: string): string {
  return posix.join('/', path).replace(/(.)\/$/, '$1');
}

/** Makes a volume's directory, with what the image has there: owners, modes, links and attributes as they are. */
async function copyOut(
  path: string,
  {
    hostPath,
    parts,
    timeoutMs,
  }: { readonly hostPath: string; readonly parts: VolumeParts; readonly timeoutMs: number },
): Promise<void> {
  const { paths, userns, image } = parts;
  const found = await findInRoot(paths.rootfs, path);
  if (found?.directory === false) throw unstartable(`image ${image.id} declares a volume at a file: "${path}"`);
  await ensureDirectory(join(hostPath, '..'));
  if (found !== undefined) {
    await runOk('cp', ['-a', '-T', '--', found.path, hostPath], { timeoutMs });
    return;
  }
  await mkdir(hostPath, { mode: 0o755 });
  if (userns !== undefined) await chown(hostPath, toHostId(userns.uid, 0), toHostId(userns.gid, 0));
}

/** Unmounts the images below a bundle; none mounted is fine. */
export async function unmountVolumes(directory: string): Promise<void> {
  for (const name of await namesIn(directory)) await unmount(join(directory, name), { detach: true });
}

async function namesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}
