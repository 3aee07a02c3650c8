import { updatePodResources } from '../../sandbox/resources.js';
import type { Handler } from '../../server/handlers.js';
import { toPodResources } from '../convert/sandbox-config.js';
import { required } from '../convert/values.js';
import type { RuntimeServiceContext } from './context.js';

export const updatePodSandboxResources =
  ({ sandboxes }: RuntimeServiceContext): Handler<'UpdatePodSandboxResources'> =>
  async ({ podSandboxId, ...change }) => {
    const id = required(podSandboxId, 'pod_sandbox_id');
    await updatePodResources(sandboxes, id, toPodResources(change, 'request'));
    return {};
  };
