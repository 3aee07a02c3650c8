import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

import { readIfExists } from '../../base/files.js';
import { present } from './present.js';
import { parseNumber } from './parse-values.js';
import type { CgroupHost } from './read-cgroup.js';

/** What a cgroup takes of huge pages of one size, in bytes. */
export interface HugePageUse {
  /** As the kernel names it in files: `2MB`. */
  readonly pageSize: string;
  readonly usage: bigint;
  /** The most that it ever took; v2 does not keep it. */
  readonly peak?: bigint;
}

/** Reads the huge pages of a cgroup; none where the kernel has no such controller (hugetlb in cgroup-v1, cgroup-v2.rst). */
export async function readHugePages(host: CgroupHost, path: string, sizes?: readonly string[]): Promise<HugePageUse[]> {
  const dir = host.version === 2 ? join(host.mount, path) : join(host.mount, 'hugetlb', path);
  const [current, peakFile] = host.version === 2 ? ['current', ''] : ['usage_in_bytes', 'max_usage_in_bytes'];
  const number = async (file: string): Promise<bigint | undefined> =>
    parseNumber(await readIfExists(join(dir, file)).catch(() => undefined));
  const uses = (sizes ?? (await pageSizes())).map(async (pageSize) => {
    const usage = await number(`hugetlb.${pageSize}.${current}`);
    if (usage === undefined) return [];
    const peak = peakFile === '' ? undefined : await number(`hugetlb.${pageSize}.${peakFile}`);
    return [{ pageSize, usage, ...present({ peak }) }];
  });
  return (await Promise.all(uses)).flat();
}

let known: Promise<string[]> | undefined;

/** The sizes that this machine has; they do not change. */
function pageSizes(): Promise<string[]> {
  known ??= readdir('/sys/kernel/mm/hugepages').then(
    (names) => names.flatMap((name) => nameOf(Number(/^hugepages-(\d+)kB$/.exec(name)?.[1] ?? 0))),
    () => [],
  );
  return known;
}

/** As the kernel's mem_fmt(): the largest unit. */
function nameOf(kilobytes: number): string[] {
  if (kilobytes === 0) return [];
  if (kilobytes >= 1 << 20) return [`${kilobytes >> 20}GB`];
  return [kilobytes >= 1 << 10 ? `${kilobytes >> 10}MB` : `${kilobytes}KB`];
}
