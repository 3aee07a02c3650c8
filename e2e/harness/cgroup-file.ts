import { existsSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';

import { notFound } from '../../src/base/errors.js';
import { cgroupDirsOf, isCgroupV2 } from '../../src/oci/cgroup.js';

/** One limit's file on either version: its controller and name on v1, its name on v2. */
export interface CgroupFile {
  readonly v1: readonly [controller: string, name: string];
  readonly v2: string;
}

/** What the kernel has for a process, trimmed. @throws not-found for a controller that this host has not. */
export async function readCgroupFile(pid: number, { v1, v2 }: CgroupFile): Promise<string> {
  const [controller, name] = isCgroupV2() ? ['', v2] : v1;
  const dirs = cgroupDirsOf(pid).filter((dir) => hierarchyOf(dir).split(',').includes(controller) || controller === '');
  const [dir] = dirs;
  if (dir === undefined) throw notFound(`process ${pid} has no cgroup of the controller "${controller}"`);
  return (await readFile(join(dir, name), 'utf8')).trim();
}

/** True where the kernel has a controller and the host uses it; not all kernels are built with cpuset. */
export function hasController(name: string): boolean {
  if (!isCgroupV2()) return existsSync(join('/sys/fs/cgroup', name));
  return readFileSync('/sys/fs/cgroup/cgroup.controllers', 'utf8').trim().split(' ').includes(name);
}

/** `/sys/fs/cgroup/cpu,cpuacct/…` → `cpu,cpuacct`. */
function hierarchyOf(dir: string): string {
  return dir.split('/')[4] ?? basename(dir);
}
