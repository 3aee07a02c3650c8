import type { Handler } from '../../server/handlers.js';
import { removeContainer as remove } from '../container/remove.js';
import { required } from '../convert/values.js';
import type { RuntimeServiceContext } from './context.js';
import { lookup } from './lookup.js';

export const removeContainer =
  ({ containers }: RuntimeServiceContext): Handler<'RemoveContainer'> =>
  async ({ containerId }) => {
    const container = lookup(containers.store, required(containerId, 'container_id'));
    if (container !== undefined) await remove(containers, container.record.id);
    return {};
  };
