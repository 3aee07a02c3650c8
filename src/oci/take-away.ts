import { lstatSync } from 'node:fs';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { errnoOf } from '../base/errors.js';
import { removeTree } from '../base/files.js';
import { hierarchies, killCgroup, removeCgroup } from './cgroup.js';

/** Where runc and crun keep a container's state: a directory of its id. */
export function holdsState(root: string, id: string): boolean {
  return lstatSync(join(root, id), { throwIfNoEntry: false }) !== undefined;
}

/** False where that state is plainly none: runc forgets such a container, and leaves its processes and cgroup. */
export function hasState(root: string, id: string): boolean {
  return ['state.json', 'status'].some((name) => {
    const found = lstatSync(join(root, id, name), { throwIfNoEntry: false });
    return found?.isFile() === true && found.size > 0;
  });
}

/**
 * Gives back what a runtime holds of a container without the runtime, which may not understand its own files any more:
 * kills what is left in the container's cgroups, and removes them and the runtime's state.
 * @throws deadline-exceeded for processes that hang in the kernel: then nothing is forgotten.
 */
export async function takeAway(root: string, id: string): Promise<void> {
  await takeAwayCgroups(id);
  await removeTree(join(root, id));
}

/** The part of {@link takeAway} that needs no runtime to be known. */
export async function takeAwayCgroups(id: string): Promise<void> {
  const dirs = (await Promise.all(hierarchies().map((mount) => cgroupsNamed(mount, id)))).flat();
  await Promise.all(dirs.map(thaw));
  await Promise.all(dirs.map(killCgroup));
  await Promise.all(dirs.map(removeCgroup));
}

/** A container's cgroup is named by its id, or is the scope that `cgroupsPath` has systemd make. */
async function cgroupsNamed(dir: string, id: string): Promise<string[]> {
  const entries = await readdir(dir, { withFileTypes: true }).catch(() => []);
  const found = entries.map(async (entry) => {
    if (!entry.isDirectory()) return [];
    const path = join(dir, entry.name);
    return entry.name === id || entry.name === `gantry-${id}.scope` ? [path] : cgroupsNamed(path, id);
  });
  return (await Promise.all(found)).flat();
}

/** On v1 a frozen process does not hear SIGKILL. */
async function thaw(dir: string): Promise<void> {
  await writeFile(join(dir, 'freezer.state'), 'THAWED', { flag: 'r+' }).catch((error: unknown) => {
    if (!['ENOENT', 'ENODEV', 'EACCES'].includes(errnoOf(error) ?? '')) throw error;
  });
}
