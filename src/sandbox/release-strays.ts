import { join } from 'node:path';

import { removeUnmounted } from '../base/remove-unmounted.js';
import { releaseStrays } from '../base/strays.js';
import { killInDirectory } from '../base/sys/kill-in-directory.js';
import { endProcess } from '../base/sys/process.js';
import { unmount } from '../base/sys/sys.js';
import { processOfPidFile } from '../oci/pid-file.js';
import type { SandboxContext } from './context.js';
import { sandboxPaths } from './files.js';
import { dropNamespace, netnsPathOf } from './namespaces.js';

/** Ends the sandboxes whose record could not be read: they are told by their directories below `<state>`. */
export async function releaseStraySandboxes(context: SandboxContext): Promise<void> {
  const { store, retries, logger, settings } = context;
  await releaseStrays({
    ...{ kind: 'sandbox', dir: join(settings.stateDir, 'sandboxes'), retries, logger },
    isKnown: (id) => store.get(id) !== undefined,
    release: (id) => release(context, id),
  });
}

async function release({ runtimes, networks, settings }: SandboxContext, id: string): Promise<void> {
  const { dir, rootfs, shm, userns } = sandboxPaths(settings.stateDir, id);
  await killInDirectory(dir);
  const pause = await processOfPidFile(join(dir, 'pid'), id);
  if (pause !== undefined) await endProcess(pause);
  for (const handler of runtimes.names) await runtimes.get(handler).delete(id);
  const netnsPath = netnsPathOf(settings.netnsDir, id);
  await networks.tearDown(id, netnsPath);
  await dropNamespace(netnsPath);
  for (const target of [shm, rootfs, userns]) await unmount(target, { detach: true });
  await removeUnmounted(dir);
}
