import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

import { readText } from '../../base/files.js';
import { errnoOf } from '../../base/errors.js';
import { present } from './present.js';
import type { CgroupFiles, CgroupUse } from './types.js';
import { useOfV1, V1_FILES } from './use-v1.js';
import { useOfV2, V2_FILES } from './use-v2.js';

/** Where a host's cgroups are, and in which layout. */
export interface CgroupHost {
  /** `/sys/fs/cgroup` */
  readonly mount: string;
  /** 1 for a hybrid host too: the controllers are there. */
  readonly version: 1 | 2;
}

/** Cgroups that a container has made for itself count, but not without end. */
const MOST_CGROUPS = 500;

/**
 * The path of a cgroup below its hierarchy, the same in all of them.
 * @param dir its directory in one hierarchy; on v1 the first name below the mount is the hierarchy's.
 */
export function cgroupPathOf(host: CgroupHost, dir: string): string {
  const path = dir.slice(host.mount.length);
  return host.version === 2 ? path : path.replace(/^\/[^/]+/, '');
}

/** Reads a cgroup in one pass. One that is gone has no use at all. */
export async function readCgroup(host: CgroupHost, path: string): Promise<CgroupUse> {
  const [files, processes] = await Promise.all([readFiles(host, path), processesOf(processDir(host, path))]);
  const use = host.version === 2 ? useOfV2(files) : useOfV1(files);
  return { ...use, ...present({ processes }) };
}

async function readFiles({ mount, version }: CgroupHost, path: string): Promise<CgroupFiles> {
  const names = version === 2 ? V2_FILES : V1_FILES;
  const pathOf = (name: string): string => {
    const slash = name.indexOf('/');
    return slash < 0 ? join(mount, path, name) : join(mount, name.slice(0, slash), path, name.slice(slash + 1));
  };
  const files = new Map<string, string>();
  const read = async (name: string): Promise<void> => {
    const text = await orAbsent(readText(pathOf(name)));
    if (text !== undefined) files.set(name, text);
  };
  await Promise.all(names.map(read));
  return files;
}

function processDir({ mount, version }: CgroupHost, path: string): string {
  return version === 2 ? join(mount, path) : join(mount, 'pids', path);
}

/** The processes of a cgroup and of those below it. */
async function processesOf(top: string): Promise<number[] | undefined> {
  let pids: number[] | undefined;
  const waiting = [top];
  for (let seen = 0; seen < MOST_CGROUPS; seen++) {
    const dir = waiting.pop();
    if (dir === undefined) break;
    const [text, entries] = await Promise.all([
      orAbsent(readText(join(dir, 'cgroup.procs'))),
      orAbsent(readdir(dir, { withFileTypes: true })),
    ]);
    if (text !== undefined) pids = [...(pids ?? []), ...text.split('\n').filter(Boolean).map(Number)];
    for (const entry of entries ?? []) if (entry.isDirectory()) waiting.push(join(dir, entry.name));
  }
  return pids;
}

/**
 * A controller may be off, the kernel old, pressure switched off (EOPNOTSUPP, as for the processes of a threaded
 * cgroup), or the cgroup gone, before or after the open (ENODEV).
 */
const ABSENT = ['ENOENT', 'ENOTDIR', 'ENODEV', 'EOPNOTSUPP', 'ENOTSUP'];

async function orAbsent<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (ABSENT.includes(errnoOf(error) ?? '')) return undefined;
    throw error;
  }
}
