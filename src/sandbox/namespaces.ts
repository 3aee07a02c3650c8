import { createHash } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { ensurePublicDirectory } from '../base/files.js';
import type { IdMappings } from '../base/id-mapping.js';
import { MS } from '../base/sys/calls.js';
import { bringUpLoopbackIn, createNetns, mount, unmount } from '../base/sys/sys.js';
import { withUserNamespace } from '../oci/user-namespace.js';

/** Where a sandbox's network namespace is pinned: a name like the peers', known before anything is made. */
export function netnsPathOf(dir: string, sandboxId: string): string {
  const hex = createHash('sha256').update(sandboxId).digest('hex');
  const uuid = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join('-');
  return join(dir, `cni-${uuid}`);
}

/** Makes and pins what a pod has of its own: a network namespace where a path for one is given, a user namespace with mappings. */
export async function makeNamespaces(wanted: {
  readonly netns: string | undefined;
  readonly userns: string;
  readonly mappings: IdMappings | undefined;
}): Promise<void> {
  const { netns, userns, mappings } = wanted;
  if (mappings === undefined) {
    if (netns !== undefined) await makeNetns(netns);
  } else if (netns === undefined) await makeUserns(userns, mappings);
  else await makeUserAndNetns({ netns, userns, mappings });
}

export async function makeNetns(path: string): Promise<void> {
  await ensurePublicDirectory(dirname(path));
  await makePinFile(path);
  await createNetns(path);
}

/** Makes a user namespace for a pod on the node's network, in which its root has no say then, and pins it. */
async function makeUserns(path: string, mappings: IdMappings): Promise<void> {
  await makePinFile(path);
  await withUserNamespace(mappings, (pid) => pinUserns(pid, path), { network: 'node' });
}

function pinUserns(pid: number, path: string): Promise<void> {
  return mount({ source: `/proc/${pid}/ns/user`, target: path, flags: MS.BIND });
}

/**
 * Makes a user namespace and the network namespace that it owns, and pins both: made the other way round, the pod's
 * root could not configure its own network (user_namespaces(7)).
 */
async function makeUserAndNetns(paths: {
  readonly userns: string;
  readonly netns: string;
  readonly mappings: IdMappings;
}): Promise<void> {
  const { userns, netns, mappings } = paths;
  await ensurePublicDirectory(dirname(netns));
  await Promise.all([makePinFile(userns), makePinFile(netns)]);
  await withUserNamespace(mappings, async (pid) => {
    await pinUserns(pid, userns);
    await mount({ source: `/proc/${pid}/ns/net`, target: netns, flags: MS.BIND });
    await bringUpLoopbackIn(netns);
  });
}

/** In a directory that is there: that of network namespaces is the host's, that of a user namespace the sandbox's. */
function makePinFile(path: string): Promise<void> {
  return writeFile(path, '', { mode: 0o444, flag: 'wx' });
}

/** Lets go of a pinned namespace; the kernel ends it with its last process. Gone already is fine. */
export async function dropNamespace(path: string): Promise<void> {
  await unmount(path, { detach: true });
  await rm(path, { force: true });
}
