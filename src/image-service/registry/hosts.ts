import { access } from 'node:fs/promises';
import { join } from 'node:path';

import { readConfigIfExists } from '../../base/files.js';
import type { HostsFile } from './hosts-file.js';

/**
 * The `hosts.toml` that speaks of a registry: in each directory `<host>_<port>_` and `<host>:<port>`, then `_default`
 * (containerd, docs/hosts.md). The first of them that is there counts, also one that only has certificates.
 */
export async function findHostsFile(registry: string, hostsDirs: readonly string[]): Promise<HostsFile | undefined> {
  for (const dir of hostsDirs) {
    for (const name of [...hostDirectories(registry), '_default']) {
      const file = join(dir, name, 'hosts.toml');
      const text = await readConfigIfExists(file);
      if (text !== undefined) return { text, file, registry };
      if (await isThere(join(dir, name))) return undefined;
    }
  }
  return undefined;
}

/** What the directory of a registry may be called. */
export function hostDirectories(registry: string): string[] {
  const port = /^(.*):([0-9]+)$/.exec(registry);
  const underscored = port === null ? [] : [`${port[1] ?? ''}_${port[2] ?? ''}_`];
  return [...underscored, registry];
}

function isThere(directory: string): Promise<boolean> {
  return access(directory).then(
    () => true,
    () => false,
  );
}
