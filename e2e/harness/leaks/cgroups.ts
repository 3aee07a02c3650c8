import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';

import { readIfExists } from '../../../src/base/files.js';
import type { Scratch } from '../scratch.js';

/** The suite's cgroup in every hierarchy, v1 and v2 alike, whether it is there or not. */
export async function ownCgroups(scratch: Scratch): Promise<string[]> {
  const mounts = (await readFile('/proc/self/mounts', 'utf8')).split('\n').map((line) => line.split(' '));
  const hierarchies = mounts.filter(([, , type = '']) => type.startsWith('cgroup')).map(([, target = '']) => target);
  return hierarchies.map((target) => join(target, scratch.cgroup));
}

/** Cgroups below the suite's own, but for the two that the daemon keeps; one line for all hierarchies. */
export async function leakedCgroups(scratch: Scratch): Promise<string[]> {
  const hierarchies = new Map<string, string[]>();
  for (const own of await ownCgroups(scratch)) {
    const mount = own.slice(0, -scratch.cgroup.length);
    for (const path of (await below(own)).map((dir) => dir.slice(mount.length))) {
      if (path === scratch.pods || path === scratch.monitors) continue;
      hierarchies.set(path, [...(hierarchies.get(path) ?? []), basename(mount)]);
    }
  }
  return [...hierarchies].map(([path, names]) => `cgroup ${path} of ${names.join(', ')}`);
}

/** Processes in the suite's cgroups. */
export async function cgroupMembers(scratch: Scratch): Promise<Set<number>> {
  const pids = new Set<number>();
  for (const own of await ownCgroups(scratch)) {
    for (const dir of [own, ...(await below(own))]) {
      const members = (await readIfExists(join(dir, 'cgroup.procs'))) ?? '';
      for (const pid of members.split('\n').filter(Boolean)) pids.add(Number(pid));
    }
  }
  return pids;
}

/** All directories below one, the deepest last; none if it does not exist. */
export async function below(dir: string): Promise<string[]> {
  const entries = await readdir(dir, { withFileTypes: true }).catch(() => []);
  const children = entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(dir, name));
  const deeper = await Promise.all(children.map(below));
  return [...children, ...deeper.flat()];
}
