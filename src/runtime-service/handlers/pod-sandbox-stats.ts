import { notFound } from '../../base/errors.js';
import type { Handler } from '../../server/handlers.js';
import { fromPodUse } from '../convert/sandbox-stats.js';
import { isListed } from '../convert/sandbox-status.js';
import { required } from '../convert/values.js';
import { podUse } from '../stats/pod-use.js';
import type { RuntimeServiceContext } from './context.js';

export const podSandboxStats =
  ({ stats }: RuntimeServiceContext): Handler<'PodSandboxStats'> =>
  async ({ podSandboxId }) => {
    const sandbox = stats.sandboxes.find(required(podSandboxId, 'pod_sandbox_id'));
    if (!isListed(sandbox)) throw notFound(`sandbox "${sandbox.record.id}" does not exist`);
    return { stats: fromPodUse(await podUse(stats, sandbox), stats.layersDir) };
  };
