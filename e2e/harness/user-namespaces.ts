import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { TOOLS } from './crictl.js';
import { SETTINGS } from './settings.js';

/** Fields of a pod, and of its containers, that ask for a user namespace of its own with these ids of the node's. */
export function ownIds(hostId: number, length = 65_536): object {
  const range = [{ host_id: hostId, container_id: 0, length }];
  return { linux: { security_context: { namespace_options: { userns_options: { uids: range, gids: range } } } } };
}

/**
 * A runtime for pods with a user namespace of their own. The crun that Debian 12 has tells nothing of idmapped mounts, and
 * makes none, but else runs such pods as newer ones do: this is for suites whose mounts ask for no ids.
 */
export async function usernsRuntime(dir: string): Promise<string> {
  if (SETTINGS.runtime !== 'crun') return join(TOOLS, 'runc');
  const path = join(dir, 'crun-for-user-namespaces');
  const linux = { namespaces: ['user'], mountExtensions: { idmap: { enabled: true } } };
  const features = JSON.stringify({ mountOptions: [], linux });
  await writeFile(path, `#!/bin/sh\n[ "$1" = features ] && echo '${features}' || exec crun "$@"\n`, { mode: 0o755 });
  return path;
}
