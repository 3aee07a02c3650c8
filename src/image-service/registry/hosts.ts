import { join } from 'node:path';

import { readConfigIfExists } from '../../base/files.js';
import type { HostsFile } from './hosts-file.js';

/**
 * The first `hosts.toml` that speaks of a registry: in each directory `<host>_<port>_` and `<host>:<port>`, then `_default`
 * (containerd, docs/hosts.md).
 */
export async function findHostsFile(registry: string, hostsDirs: readonly string[]): Promise<HostsFile | undefined> {
  for (const dir of hostsDirs) {
    for (const name of directoryNames(registry)) {
      const file = join(dir, name, 'hosts.toml');
      const text = await readConfigIfExists(file);
      if (text !== undefined) return { text, file, registry };
    }
  }
  return undefined;
}

function directoryNames(registry: string): string[] {
  const port = /^(.*):([0-9]+)$/.exec(registry);
  const underscored = port === null ? [] : [`${port[1] ?? ''}_${port[2] ?? ''}_`];
  return [...underscored, registry, '_default'];
}
