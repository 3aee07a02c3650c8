import { notFound } from '../../base/errors.js';
import { nowNs } from '../../base/clock.js';
import { readBundleSpec } from '../../oci/bundle-spec.js';
import { sandboxPaths } from '../../sandbox/files.js';
import { podResourcesOf } from '../../sandbox/resources.js';
import type { Sandbox } from '../../sandbox/store.js';
import type { Handler } from '../../server/handlers.js';
import { newestContainersOf } from '../container/of-sandbox.js';
import { fromContainerStatus, isListed as isListedContainer } from '../convert/container-status.js';
import { fromSandboxStatus, isListed } from '../convert/sandbox-status.js';
import { required, toTimestamp } from '../convert/values.js';
import type { RuntimeServiceContext } from './context.js';
import { verboseInfo } from './lookup.js';

export const podSandboxStatus =
  (context: RuntimeServiceContext): Handler<'PodSandboxStatus'> =>
  async ({ podSandboxId, verbose }) => {
    const sandbox = context.sandboxes.store.find(required(podSandboxId, 'pod_sandbox_id'));
    if (!isListed(sandbox)) throw notFound(`sandbox "${podSandboxId}" does not exist`);
    const own = newestContainersOf(context.containers.store, sandbox.record.id);
    return {
      status: fromSandboxStatus(sandbox),
      containersStatuses: own.filter(isListedContainer).map(fromContainerStatus),
      timestamp: toTimestamp(nowNs()),
      info: verbose ? verboseInfo(await details(context, sandbox)) : {},
    };
  };

async function details(
  { sandboxes }: RuntimeServiceContext,
  { record, status }: Sandbox,
): Promise<Record<string, unknown>> {
  return {
    pid: status.state === 'ready' ? status.pause.pid : 0,
    runtimeHandler: record.handler,
    networkNamespace: record.netnsPath,
    cniResult: status.state === 'ready' ? status.cniResult : undefined,
    config: record.config,
    resources: podResourcesOf({ record, status }),
    runtimeSpec: await readBundleSpec(sandboxPaths(sandboxes.settings, record).dir),
  };
}
