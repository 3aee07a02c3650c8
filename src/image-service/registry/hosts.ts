import { join } from 'node:path';

import { readIfExists } from '../../base/files.js';
import { upstreamOf, type Endpoint } from './endpoint.js';
import { parseHostsFile } from './hosts-file.js';

/**
 * The servers to ask for a registry's images, in order, from the first `hosts.toml` that speaks of it: in each directory
 * `<host>_<port>_` and `<host>:<port>`, then `_default` (containerd, docs/hosts.md). Without one, the registry itself by
 * https. Read anew at each pull, so that changes need no restart.
 */
export async function endpointsFor(registry: string, hostsDirs: readonly string[]): Promise<Endpoint[]> {
  for (const dir of hostsDirs) {
    for (const name of directoryNames(registry)) {
      const file = join(dir, name, 'hosts.toml');
      const text = await readIfExists(file);
      if (text !== undefined) return parseHostsFile({ text, file, registry });
    }
  }
  return [upstreamOf(registry)];
}

function directoryNames(registry: string): string[] {
  const port = /^(.*):([0-9]+)$/.exec(registry);
  const underscored = port === null ? [] : [`${port[1] ?? ''}_${port[2] ?? ''}_`];
  return [...underscored, registry, '_default'];
}
