import type { Handler } from '../../server/handlers.js';
import { reopenLog } from '../container/reopen-log.js';
import { required } from '../convert/values.js';
import type { RuntimeServiceContext } from './context.js';

export const reopenContainerLog =
  ({ containers }: RuntimeServiceContext): Handler<'ReopenContainerLog'> =>
  async ({ containerId }) => {
    await reopenLog(containers, required(containerId, 'container_id'));
    return {};
  };
