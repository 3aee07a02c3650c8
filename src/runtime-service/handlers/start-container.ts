import type { Handler } from '../../server/handlers.js';
import { startContainer as start } from '../container/start.js';
import { required } from '../convert/values.js';
import type { RuntimeServiceContext } from './context.js';

export const startContainer =
  ({ containers }: RuntimeServiceContext): Handler<'StartContainer'> =>
  async ({ containerId }) => {
    await start(containers, required(containerId, 'container_id'));
    return {};
  };
