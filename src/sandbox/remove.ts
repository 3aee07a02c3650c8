import { removeUnmounted } from '../base/remove-unmounted.js';
import type { SandboxContext } from './context.js';
import { sandboxPaths } from './files.js';
import { sandboxName } from './name.js';
import { moveSandbox } from './state.js';
import { stopSandbox } from './stop.js';

/** Removes a sandbox without containers, stopping it first if need be (CRI RemovePodSandbox). Gone already is fine. */
export async function removeSandbox(context: SandboxContext, id: string): Promise<void> {
  await stopSandbox(context, id);
  await context.locks.run(id, () => discardSandbox(context, id));
}

/** The last steps, also of a creation that a crash cut short: everything is released by now. */
export async function discardSandbox(context: SandboxContext, id: string): Promise<void> {
  const sandbox = context.store.get(id);
  if (sandbox === undefined) return;
  await context.store.update(id, (status) => moveSandbox(status, { state: 'removing' }), { evenIfFull: true });
  await removeUnmounted(sandboxPaths(context.settings.stateDir, id).dir);
  await context.store.delete(id);
  context.names.release(sandboxName(sandbox.record.config.metadata), id);
}
