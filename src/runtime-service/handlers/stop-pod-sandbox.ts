import { stopSandbox } from '../../sandbox/stop.js';
import type { Handler } from '../../server/handlers.js';
import { killContainersOf } from '../container/stop.js';
import { required } from '../convert/values.js';
import type { RuntimeServiceContext } from './context.js';
import { lookup } from './lookup.js';

export const stopPodSandbox =
  ({ sandboxes, containers }: RuntimeServiceContext): Handler<'StopPodSandbox'> =>
  async ({ podSandboxId }) => {
    const sandbox = lookup(sandboxes.store, required(podSandboxId, 'pod_sandbox_id'));
    if (sandbox === undefined) return {};
    const { id } = sandbox.record;
    await killContainersOf(containers, id);
    await stopSandbox(sandboxes, id);
    // One whose creation was under way is on record by now, or will find the sandbox not ready.
    await killContainersOf(containers, id);
    return {};
  };
