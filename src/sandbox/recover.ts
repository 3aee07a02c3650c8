import { describeError } from '../base/errors.js';
import { killInDirectory } from '../base/sys/kill-in-directory.js';
import { isAlive } from '../base/sys/process.js';
import type { SandboxContext } from './context.js';
import { sandboxPaths } from './files.js';
import { sandboxName } from './name.js';
import { discardSandbox } from './remove.js';
import { moveSandbox } from './state.js';
import { releaseSandbox } from './stop.js';
import type { Sandbox } from './store.js';
import { watchPause } from './watch.js';

/**
 * Puts right what the last run left, before the first request: running sandboxes are watched again, dead ones are
 * not ready, and creations and removals that were cut short are finished as removals. One that resists is tried
 * again later and never keeps the daemon from starting.
 */
export async function recoverSandboxes(context: SandboxContext): Promise<void> {
  const sandboxes = context.store.list();
  for (const { record } of sandboxes) claim(context, record.id, sandboxName(record.config.metadata));
  await Promise.all(sandboxes.map((sandbox) => recoverSandbox(context, sandbox)));
}

function claim({ names, pause, logger }: SandboxContext, id: string, name: string): void {
  try {
    names.claim(name, id);
    pause.adopt(id);
  } catch (error) {
    logger.warn({ sandbox: id, error: describeError(error) }, 'a recovered sandbox lacks its name or its pause image');
  }
}

async function recoverSandbox(context: SandboxContext, sandbox: Sandbox): Promise<void> {
  const { record, status } = sandbox;
  switch (status.state) {
    case 'ready':
      if (isAlive(status.pause)) {
        watchPause(context, record.id, status.pause);
        return;
      }
      await context.store.update(record.id, (now) => moveSandbox(now, { state: 'not-ready', released: false }), {
        evenIfFull: true,
      });
      return;
    case 'not-ready':
      return;
    case 'creating':
    case 'removing':
      await finishRemoval(context, sandbox);
  }
}

async function finishRemoval(context: SandboxContext, sandbox: Sandbox): Promise<void> {
  const { id } = sandbox.record;
  const finish = (): Promise<void> =>
    context.locks.run(id, async () => {
      // A runtime that still works on the creation would bring pause to life later.
      await killInDirectory(sandboxPaths(context.settings.stateDir, id).dir);
      await releaseSandbox(context, sandbox);
      await discardSandbox(context, id);
    });
  try {
    await finish();
    context.logger.info({ sandbox: id }, 'removed a sandbox that was left half-way');
  } catch (error) {
    context.logger.warn({ sandbox: id, error: describeError(error) }, 'a sandbox left half-way resists removal');
    context.retries.add([{ name: `sandbox ${id}`, run: finish }]);
  }
}
