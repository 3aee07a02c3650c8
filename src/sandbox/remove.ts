import { removeUnmounted } from '../base/remove-unmounted.js';
import type { SandboxContext } from './context.js';
import { sandboxPaths } from './files.js';
import { sandboxName } from './name.js';
import { moveSandbox } from './state.js';
import { stopSandbox } from './stop.js';

/**
 * Removes a sandbox without containers, stopping it first if need be (CRI RemovePodSandbox). Gone already is fine. What
 * fails goes on in the background: the sandbox is on no list any more, so nobody may ask again.
 */
export async function removeSandbox(context: SandboxContext, id: string): Promise<void> {
  await stopSandbox(context, id);
  const discard = (): Promise<void> => context.locks.run(id, () => discardSandbox(context, id));
  try {
    await discard();
  } catch (error) {
    context.retries.keep({ name: `sandbox ${id}`, run: discard });
    throw error;
  }
}

/** The last steps, also of a creation that a crash cut short: everything is released by now. */
export async function discardSandbox(context: SandboxContext, id: string): Promise<void> {
  const sandbox = context.store.get(id);
  if (sandbox === undefined) return;
  const { record } = sandbox;
  await context.store.update(id, (status) => moveSandbox(status, { state: 'removing' }), { evenIfFull: true });
  // As after a restart: half of a sandbox has no right to a name.
  context.names.release(sandboxName(record.config.metadata), id);
  await removeUnmounted(sandboxPaths(context.settings, record).dir);
  await context.store.delete(id);
}
