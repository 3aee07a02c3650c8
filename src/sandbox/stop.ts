import { join } from 'node:path';

import { wrapError } from '../base/errors.js';
import { endProcess } from '../base/sys/process.js';
import { unmount } from '../base/sys/sys.js';
import { processOfPidFile } from '../oci/pid-file.js';
import type { SandboxContext } from './context.js';
import { sandboxPaths } from './files.js';
import { dropNamespace } from './namespaces.js';
import { moveSandbox } from './state.js';
import type { Sandbox } from './store.js';

/**
 * Ends a sandbox whose containers have ended: pause, network, namespaces and mounts (CRI StopPodSandbox). Stopping
 * again is fine; after a failure it picks up where it stopped.
 */
export async function stopSandbox(context: SandboxContext, id: string): Promise<void> {
  await context.locks.run(id, async () => {
    const sandbox = context.store.get(id);
    if (sandbox === undefined) return;
    const { status } = sandbox;
    if (status.state === 'not-ready' && status.released) return;
    try {
      await releaseSandbox(context, sandbox);
    } catch (error) {
      throw wrapError(error, `stop sandbox "${id}"`);
    }
    if (status.state === 'removing' || status.state === 'creating') return;
    const released = { state: 'not-ready', released: true } as const;
    await context.store.update(id, (now) => moveSandbox(now, released), { evenIfFull: true });
  });
}

/** Gives back all that a sandbox holds but its record; every step may have been done before. */
export async function releaseSandbox(context: SandboxContext, sandbox: Sandbox): Promise<void> {
  const { record } = sandbox;
  const paths = sandboxPaths(context.settings.stateDir, record.id);
  // The namespace is pinned, so DEL finds it whether pause lives or not: the two run side by side.
  const ends = await Promise.allSettled([
    context.networks.tearDown(record.id, record.netnsPath),
    endPause(context, sandbox),
  ]);
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
  await context.pause.release({ id: record.id, rootfs: paths.rootfs });
  if (record.netnsPath !== undefined) await dropNamespace(record.netnsPath);
  await dropNamespace(paths.userns);
  await unmount(paths.shm, { detach: true });
}

async function endPause(context: SandboxContext, { record, status }: Sandbox): Promise<void> {
  const { dir } = sandboxPaths(context.settings.stateDir, record.id);
  const pause = status.state === 'ready' ? status.pause : await processOfPidFile(join(dir, 'pid'), record.id);
  if (pause !== undefined) await endProcess(pause);
  // A handler that is no longer configured cannot be asked; what it held of pause ended with the process.
  if (context.runtimes.names.includes(record.handler)) await context.runtimes.get(record.handler).delete(record.id);
}
