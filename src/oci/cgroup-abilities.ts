import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { CGROUP_MOUNT, cgroupDirsOf, isCgroupV2 } from './cgroup.js';

/** What this node's cgroups can limit. */
export interface CgroupAbilities {
  readonly version: 1 | 2;
  /** Memory and swap together; off by the kernel's arguments on some nodes. */
  readonly swap: boolean;
  readonly hugetlb: boolean;
  /** As CRI and the cgroups' files have them: `2MB`, `1GB`. */
  readonly hugePageSizes: readonly string[];
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
    hugePageSizes: hugePageSizes(),
  };
}

/** The root cgroup has no limits, so any other is looked at: the daemon's own, or one of the first level. */
function abilitiesOfV2(): CgroupAbilities {
  const controllers = readFileSync('/sys/fs/cgroup/cgroup.controllers', 'utf8').trim().split(' ');
  const entries = readdirSync(CGROUP_MOUNT, { withFileTypes: true });
  const first = entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(CGROUP_MOUNT, name));
  const dirs = [...cgroupDirsOf(process.pid), ...first].filter((dir) => existsSync(join(dir, 'memory.max')));
  const swap = dirs.length === 0 || dirs.some((dir) => existsSync(join(dir, 'memory.swap.max')));
  return { version: 2, swap, hugetlb: controllers.includes('hugetlb'), hugePageSizes: hugePageSizes() };
}

const HUGE_PAGES = '/sys/kernel/mm/hugepages';

function hugePageSizes(): string[] {
  if (!existsSync(HUGE_PAGES)) return [];
  return readdirSync(HUGE_PAGES).flatMap((name) => hugePageSize(Number(/^hugepages-(\d+)kB$/.exec(name)?.[1])) ?? []);
}

/** As the kernel names its files (mm/hugetlb_cgroup.c, mem_fmt). */
function hugePageSize(kilobytes: number): string | undefined {
  if (!(kilobytes > 0)) return undefined;
  if (kilobytes >= 1 << 20) return `${kilobytes >> 20}GB`;
  return kilobytes >= 1 << 10 ? `${kilobytes >> 10}MB` : `${kilobytes}KB`;
}
