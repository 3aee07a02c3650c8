import { join } from 'node:path';

import { errnoOf } from '../base/errors.js';
import { readIfExists } from '../base/files.js';
import { isCgroupV2 } from './cgroup.js';

/**
 * How many processes the kernel has killed for want of memory in a cgroup and below; undefined where nothing counts: the
 * cgroup is gone, has no memory controller, or is of v1.
 */
export async function oomKillsIn(dir: string): Promise<number | undefined> {
  if (!isCgroupV2()) return undefined;
  const count = /^oom_kill (\d+)$/m.exec(await readEvents(dir))?.[1];
  return count === undefined ? undefined : Number(count);
}

/** Empty for a cgroup that goes, with ENODEV where it does so between opening and reading. */
async function readEvents(dir: string): Promise<string> {
  try {
    return (await readIfExists(join(dir, 'memory.events'))) ?? '';
  } catch (error) {
    if (errnoOf(error) === 'ENODEV') return '';
    throw error;
  }
}

/** The systemd slice that a cgroup lies in, which stays when the cgroup goes; undefined for one in no slice. */
export function sliceOf(dir: string): string | undefined {
  const end = dir.lastIndexOf('.slice/');
  return end < 0 ? undefined : dir.slice(0, end + '.slice'.length);
}
