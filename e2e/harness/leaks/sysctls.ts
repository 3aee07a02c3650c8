import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { changes } from './changes.js';

/** Values by their paths below /proc/sys. */
export type Sysctls = ReadonlyMap<string, string>;

const ROOT = '/proc/sys';

/** Counters, and what the kernel sets by itself; to read others does something, or mounts a file system. */
const LEFT_OUT = [
  /^fs\/(dentry-state|file-nr|inode-nr|inode-state|aio-nr|quota\/|binfmt_misc)/,
  /^kernel\/(ns_last_pid|random\/|pty\/nr|hung_task_detect_count|perf_event_max_sample_rate|max_lock_depth$)/,
  /^vm\/(stat_refresh|compact_memory|drop_caches)$/,
  /^net\/netfilter\/nf_conntrack_count$/,
  // Lists of what modules bring.
  /^net\/ipv4\/tcp_available_/,
  // Of interfaces, which come and go with pods.
  /^net\/(ipv4|ipv6|mpls)\/(conf|neigh)\/(?!(all|default|lo)(\/|$))/,
] as const;

export async function readSysctls(): Promise<Sysctls> {
  const found = new Map<string, string>();
  await collect('', found);
  return found;
}

/** One directory after the other: each file is the kernel's to answer, and none of them takes long. */
async function collect(dir: string, found: Map<string, string>): Promise<void> {
  for (const entry of await readdir(join(ROOT, dir), { withFileTypes: true }).catch(() => [])) {
    const name = join(dir, entry.name);
    if (LEFT_OUT.some((pattern) => pattern.test(name))) continue;
    if (entry.isDirectory()) await collect(name, found);
    else {
      // Some can be written alone, some are not for this kernel.
      const value = await readFile(join(ROOT, name), 'utf8').catch(() => undefined);
      if (value !== undefined) found.set(name, value.trim());
    }
  }
}

/** Set by the bridge plugin for a gateway, and left so: other networks of the node may need it. */
const BY_DESIGN = /^net\/(ipv4\/ip_forward|ipv[46]\/conf\/(all|default|lo)\/forwarding)$/;

/** What a suite changed. Files that come or go are of modules. */
export function leakedSysctls(before: Sysctls, after: Sysctls): string[] {
  const changed = changes(before, after).filter(({ was, is }) => was !== undefined && is !== undefined);
  return changed
    .filter(({ name, is }) => !(BY_DESIGN.test(name) && is === '1'))
    .map(({ name, was = '', is = '' }) => `sysctl ${name}: ${was}, now ${is}`);
}
