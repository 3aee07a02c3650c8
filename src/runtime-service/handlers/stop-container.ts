import { invalidArgument } from '../../base/errors.js';
import type { Handler } from '../../server/handlers.js';
import { stopContainer as stop } from '../container/stop.js';
import { required, toNumber } from '../convert/values.js';
import type { RuntimeServiceContext } from './context.js';
import { lookup } from './lookup.js';

export const stopContainer =
  ({ containers }: RuntimeServiceContext): Handler<'StopContainer'> =>
  async ({ containerId, timeout }) => {
    const seconds = toNumber(timeout, 'timeout');
    if (seconds < 0) throw invalidArgument(`timeout is negative: ${seconds}`);
    const container = lookup(containers.store, required(containerId, 'container_id'));
    if (container !== undefined) await stop(containers, container.record.id, seconds);
    return {};
  };
