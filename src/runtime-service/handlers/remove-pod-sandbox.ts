import { removeSandbox } from '../../sandbox/remove.js';
import type { Handler } from '../../server/handlers.js';
import { removeContainersOf } from '../container/remove.js';
import { killContainersOf } from '../container/stop.js';
import { stopSandbox } from '../../sandbox/stop.js';
import { required } from '../convert/values.js';
import type { RuntimeServiceContext } from './context.js';
import { lookup } from './lookup.js';

export const removePodSandbox =
  ({ sandboxes, containers }: RuntimeServiceContext): Handler<'RemovePodSandbox'> =>
  async ({ podSandboxId }) => {
    const sandbox = lookup(sandboxes.store, required(podSandboxId, 'pod_sandbox_id'));
    if (sandbox === undefined) return {};
    const { id } = sandbox.record;
    await killContainersOf(containers, id);
    await stopSandbox(sandboxes, id);
    await removeContainersOf(containers, id);
    await removeSandbox(sandboxes, id);
    return {};
  };
