import { join } from 'node:path';

import { wrapError } from '../base/errors.js';
import { settleAll } from '../base/settle-all.js';
import { endProcess } from '../base/sys/process.js';
import { unmount } from '../base/sys/sys.js';
import { removeLeftCgroup } from '../oci/cgroup.js';
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
  // The namespace is pinned, so DEL finds it whether pause lives or not: the two run side by side.
  await settleAll([context.networks.tearDown(record.id, record.netnsPath), releasePause(context, sandbox)]);
  if (record.netnsPath !== undefined) await dropNamespace(record.netnsPath);
  await dropNamespace(sandboxPaths(context.settings, record).userns);
}

/** With its mounts, so that a network that cannot be left does not keep an image's layers. */
async function releasePause(context: SandboxContext, sandbox: Sandbox): Promise<void> {
  const { record } = sandbox;
  const { rootfs, shm } = sandboxPaths(context.settings, record);
  await endPause(context, sandbox);
  if (record.pause?.kind !== 'built-in') await context.pause.release({ id: record.id, rootfs });
  await unmount(shm, { detach: true });
}

async function endPause(context: SandboxContext, sandbox: Sandbox): Promise<void> {
  const { record } = sandbox;
  await endPauseProcess(context, sandbox);
  const runtime = context.runtimes.of(record);
  await runtime.delete(record.id);
  // A creation that was cut short may have left it without a word in the runtime's state.
  await removeLeftCgroup(runtime.options.cgroupDriver, record.cgroupParent, record.id);
}

/** Kills the pause process, by the status or, for what never came to one, by its pid file. Ended already is fine. */
export async function endPauseProcess(context: SandboxContext, { record, status }: Sandbox): Promise<void> {
  const { dir } = sandboxPaths(context.settings, record);
  const pause = status.state === 'ready' ? status.pause : await processOfPidFile(join(dir, 'pid'), record.id);
  if (pause !== undefined) await endProcess(pause);
}
