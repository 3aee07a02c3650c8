import type { Handler } from '../../server/handlers.js';
import { updateContainer } from '../container/update.js';
import { toResources } from '../convert/resources.js';
import { required } from '../convert/values.js';
import type { RuntimeServiceContext } from './context.js';

export const updateContainerResources =
  ({ containers }: RuntimeServiceContext): Handler<'UpdateContainerResources'> =>
  async ({ containerId, linux }) => {
    await updateContainer(containers, required(containerId, 'container_id'), toResources(required(linux, 'linux')));
    return {};
  };
