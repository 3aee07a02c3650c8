import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { CGROUP_MOUNT, cgroupDirsOf, isCgroupV2 } from './cgroup.js';

/** What this node's cgroups can limit. */
export interface CgroupAbilities {
  readonly version: 1 | 2;
  /** Memory and swap together; off by the kernel's arguments on some nodes. */
  readonly swap: boolean;
  readonly hugetlb: boolean;
}

let known: CgroupAbilities | undefined;

/** Looked up once: it takes a reboot to change. */
export function cgroupAbilities(): CgroupAbilities {
  known ??= isCgroupV2() ? abilitiesOfV2() : abilitiesOfV1();
  return known;
}

function abilitiesOfV1(): CgroupAbilities {
  return {
    version: 1,
    swap: existsSync(join(CGROUP_MOUNT, 'memory', 'memory.memsw.limit_in_bytes')),
    hugetlb: existsSync(join(CGROUP_MOUNT, 'hugetlb')),
  };
}

/** The root cgroup has no limits, so any other is looked at: the daemon's own, or one of the first level. */
function abilitiesOfV2(): CgroupAbilities {
  const controllers = readFileSync('/sys/fs/cgroup/cgroup.controllers', 'utf8').trim().split(' ');
  const entries = readdirSync(CGROUP_MOUNT, { withFileTypes: true });
  const first = entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(CGROUP_MOUNT, name));
  const dirs = [...cgroupDirsOf(process.pid), ...first].filter((dir) => existsSync(join(dir, 'memory.max')));
  const swap = dirs.length === 0 || dirs.some((dir) => existsSync(join(dir, 'memory.swap.max')));
  return { version: 2, swap, hugetlb: controllers.includes('hugetlb') };
}
