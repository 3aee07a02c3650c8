import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { busybox, type BusyboxOptions } from '../../scripts/oci-layout/busybox.js';
import { directory, file, symlink, type Entry } from '../../scripts/oci-layout/entries.js';
import { PROJECT_ROOT } from '../../scripts/project-root.js';
import { runOk } from '../../src/base/spawn.js';

/** The shell of the test images; scripts/fetch-busybox.sh puts it there. */
export const SHELL = join(PROJECT_ROOT, '.cache', 'tools', 'busybox');

/** Stand-ins for what Debian's busybox lacks and critest calls. */
const PGREP = '#!/bin/sh\npidof "$1" | tr " " "\\n"\n';
const IPCS = '#!/bin/sh\ncat /proc/sysvipc/shm\n';

/**
 * The root file system of most test images. Its shell is another busybox's: that of the static one runs applets
 * without executing the file, so that a masked or missing /bin/ls would go unnoticed.
 */
export async function shellRootfs(options: Pick<BusyboxOptions, 'passwd' | 'group'> = {}): Promise<Entry[]> {
  return [
    ...(await busybox({ ...options, without: ['sh', 'ash', 'hush', 'pgrep', 'ipcs'] })),
    file('bin/sh', await readFile(SHELL), { mode: 0o755 }),
    ...(await Promise.all((await librariesOf(SHELL)).map(hostFile))),
    file('bin/pgrep', PGREP, { mode: 0o755 }),
    file('bin/ipcs', IPCS, { mode: 0o755 }),
    directory('var/run'),
    symlink('usr/bin', '/bin'),
  ];
}

/** The shared libraries of a program and its loader, where this machine has them. */
export async function librariesOf(program: string): Promise<string[]> {
  const { stdout } = await runOk('ldd', [program], { timeoutMs: 10_000 });
  return stdout.toString().match(/\/\S+/g) ?? [];
}

async function hostFile(path: string): Promise<Entry> {
  return file(path.slice(1), await readFile(path), { mode: 0o755 });
}
