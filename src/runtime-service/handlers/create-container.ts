import { canonicalDigest } from '../../base/digest.js';
import { invalidArgument } from '../../base/errors.js';
import type { Handler } from '../../server/handlers.js';
import { createContainer as create } from '../container/create.js';
import { toContainerConfig } from '../convert/container-config.js';
import { required } from '../convert/values.js';
import type { RuntimeServiceContext } from './context.js';

export const createContainer =
  ({ containers }: RuntimeServiceContext): Handler<'CreateContainer'> =>
  async (request) => {
    const sandboxId = required(request.podSandboxId, 'pod_sandbox_id');
    const config = toContainerConfig(request.config);
    const imageHandler = request.config?.image?.runtimeHandler ?? '';
    if (imageHandler !== '' && !containers.runtimes.names.includes(imageHandler))
      throw invalidArgument(`config.image.runtime_handler ${JSON.stringify(imageHandler)} is no handler of this node`);
    return { containerId: await create(containers, { sandboxId, config, digest: canonicalDigest(config) }) };
  };
