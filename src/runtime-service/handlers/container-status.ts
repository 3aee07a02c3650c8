import { notFound } from '../../base/errors.js';
import type { Handler } from '../../server/handlers.js';
import { currentSpec } from '../container/current-spec.js';
import { processesOf } from '../container/state.js';
import type { Container } from '../container/store.js';
import { fromContainerStatus, isListed } from '../convert/container-status.js';
import { required } from '../convert/values.js';
import type { RuntimeServiceContext } from './context.js';
import { verboseInfo } from './lookup.js';

export const containerStatus =
  (context: RuntimeServiceContext): Handler<'ContainerStatus'> =>
  async ({ containerId, verbose }) => {
    const container = context.containers.store.find(required(containerId, 'container_id'));
    if (!isListed(container)) throw notFound(`container "${containerId}" does not exist`);
    return {
      status: fromContainerStatus(container),
      info: verbose ? verboseInfo(await details(context, container)) : {},
    };
  };

async function details({ containers }: RuntimeServiceContext, container: Container): Promise<Record<string, unknown>> {
  const { record, status } = container;
  return {
    sandboxID: record.sandboxId,
    pid: processesOf(status)?.init.pid ?? 0,
    runtimeHandler: record.handler,
    config: record.config,
    runtimeSpec: await currentSpec(containers, container),
  };
}
