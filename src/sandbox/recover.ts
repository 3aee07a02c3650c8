import { realpath } from 'node:fs/promises';

import { describeError } from '../base/errors.js';
import { readMountTable } from '../base/mount-table.js';
import type { Claimant } from '../base/names.js';
import { killInDirectory } from '../base/sys/kill-in-directory.js';
import { isAlive } from '../base/sys/process.js';
import type { SandboxContext } from './context.js';
import { sandboxPaths } from './files.js';
import { sandboxName } from './name.js';
import { discardSandbox } from './remove.js';
import { endPauseProcess, releaseSandbox } from './stop.js';
import type { Sandbox } from './store.js';
import type { SandboxState } from './types.js';
import { markEnded, watchPause } from './watch.js';

/**
 * Puts right what the last run left, before the first request: running sandboxes are watched again, dead ones are not
 * ready, and of creations and removals that were cut short the processes are ended. The rest of those is given back in
 * the background: a network that hangs keeps no daemon from serving, and one that resists is tried again.
 */
export async function recoverSandboxes(context: SandboxContext): Promise<void> {
  const sandboxes = context.store.list();
  claimNames(context, sandboxes);
  await adoptPauses(context, sandboxes);
  await Promise.all(sandboxes.map((sandbox) => recoverSandbox(context, sandbox)));
}

const CLAIMS: Readonly<Record<SandboxState, Claimant['is']>> = {
  creating: 'half-made',
  ready: 'alive',
  'not-ready': 'ended',
  removing: 'half-made',
};

/** True for one that is about to go, whoever may ask for it. */
export function isHalfMade({ status }: Sandbox): boolean {
  return CLAIMS[status.state] === 'half-made';
}

function claimNames({ names, logger }: SandboxContext, sandboxes: readonly Sandbox[]): void {
  const without = names.reclaim(
    sandboxes.map(({ record: { id, config, createdAt }, status }) => ({
      ...{ id, createdAt, is: CLAIMS[status.state] },
      name: sandboxName(config.metadata),
    })),
  );
  for (const { id, name } of without) logger.warn({ sandbox: id, name }, 'another sandbox has the name of this one');
}

async function adoptPauses(context: SandboxContext, sandboxes: readonly Sandbox[]): Promise<void> {
  for (const { record } of sandboxes) {
    const { rootfs } = sandboxPaths(context.settings, record);
    // An older record does not say of what its pause is made: where nothing is mounted, it is of no image.
    if (record.pause !== undefined || (await isMounted(rootfs))) context.pause.adopt(record.id, record.pause);
  }
}

export async function isMounted(path: string): Promise<boolean> {
  const real = await realpath(path).catch(() => undefined);
  return real !== undefined && (await readMountTable()).some(({ mountPoint }) => mountPoint === real);
}

async function recoverSandbox(context: SandboxContext, sandbox: Sandbox): Promise<void> {
  const { record, status } = sandbox;
  switch (status.state) {
    case 'ready':
      if (isAlive(status.pause)) watchPause(context, record.id, status.pause);
      else await markEnded(context, record.id);
      return;
    case 'not-ready':
      return;
    case 'creating':
    case 'removing':
      await endProcesses(context, sandbox).catch((error: unknown) =>
        context.logger.warn(
          { sandbox: record.id, error: describeError(error) },
          'a sandbox left half-way resists its end',
        ),
      );
      context.retries.begin([{ name: `sandbox ${record.id}`, run: () => finishRemoval(context, record.id) }]);
  }
}

/** A runtime that still works on the creation would bring pause to life later. */
async function endProcesses(context: SandboxContext, sandbox: Sandbox): Promise<void> {
  await killInDirectory(sandboxPaths(context.settings, sandbox.record).dir);
  await endPauseProcess(context, sandbox);
}

/** Holds the sandbox's lock, so that who asks for its end meanwhile waits, and finds it gone. */
function finishRemoval(context: SandboxContext, id: string): Promise<void> {
  return context.locks.run(id, async () => {
    const sandbox = context.store.get(id);
    if (sandbox === undefined) return;
    await endProcesses(context, sandbox);
    await releaseSandbox(context, sandbox);
    await discardSandbox(context, id);
    context.logger.info({ sandbox: id }, 'removed a sandbox that was left half-way');
  });
}
