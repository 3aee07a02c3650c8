import { basename, join } from 'node:path';

import { removeUnmounted } from '../base/remove-unmounted.js';
import { settleAll } from '../base/settle-all.js';
import { releaseStrays } from '../base/strays.js';
import { killInDirectory } from '../base/sys/kill-in-directory.js';
import { endProcess } from '../base/sys/process.js';
import { unmount } from '../base/sys/sys.js';
import { readBundleSpec } from '../oci/bundle-spec.js';
import { processOfPidFile } from '../oci/pid-file.js';
import type { SandboxContext } from './context.js';
import { sandboxPaths } from './files.js';
import { dropNamespace, netnsPathOf } from './namespaces.js';
import { isMounted } from './recover.js';

/** Ends the sandboxes whose record could not be read: they are told by their directories below `<state>`. */
export async function releaseStraySandboxes(context: SandboxContext): Promise<void> {
  const { store, retries, logger, settings } = context;
  await releaseStrays({
    ...{ kind: 'sandbox', dir: join(settings.stateDir, 'sandboxes'), retries, logger },
    isKnown: (id) => store.get(id) !== undefined,
    end: (id) => end(context, id),
    release: (id) => release(context, id),
  });
}

async function end(context: SandboxContext, id: string): Promise<void> {
  const { dir, rootfs } = sandboxPaths(context.settings, { id });
  if (await isMounted(rootfs)) context.pause.adopt(id, undefined);
  await endProcesses(dir, id);
}

async function endProcesses(dir: string, id: string): Promise<void> {
  await killInDirectory(dir);
  const pause = await processOfPidFile(join(dir, 'pid'), id);
  if (pause !== undefined) await endProcess(pause);
}

async function release(context: SandboxContext, id: string): Promise<void> {
  const { dir, userns } = sandboxPaths(context.settings, { id });
  const pins = [await netnsOf(dir, id), netnsPathOf(context.settings.netnsDir, id)].filter((pin) => pin !== undefined);
  await settleAll([context.networks.tearDown(id, pins[0]), releasePause(context, id)]);
  for (const pin of pins) await dropNamespace(pin);
  await unmount(userns, { detach: true });
  await removeUnmounted(dir);
}

async function releasePause(context: SandboxContext, id: string): Promise<void> {
  const { dir, rootfs, shm } = sandboxPaths(context.settings, { id });
  await endProcesses(dir, id);
  await context.runtimes.deleteUnknown(id);
  await context.pause.release({ id, rootfs });
  await unmount(shm, { detach: true });
}

/** Where its network namespace is pinned, as the OCI configuration of its pause has it; today's place may be another. */
async function netnsOf(dir: string, id: string): Promise<string | undefined> {
  const spec = await readBundleSpec(dir);
  const pin = spec?.linux.namespaces.find(({ type }) => type === 'network')?.path;
  return typeof pin === 'string' && basename(pin) === basename(netnsPathOf('/', id)) ? pin : undefined;
}
