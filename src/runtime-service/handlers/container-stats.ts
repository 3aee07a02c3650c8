import { notFound } from '../../base/errors.js';
import type { Handler } from '../../server/handlers.js';
import { fromContainerUse } from '../convert/container-stats.js';
import { isListed } from '../convert/container-status.js';
import { required } from '../convert/values.js';
import { containerUse } from '../stats/container-use.js';
import type { RuntimeServiceContext } from './context.js';

export const containerStats =
  ({ stats }: RuntimeServiceContext): Handler<'ContainerStats'> =>
  async ({ containerId }) => {
    const container = stats.containers.find(required(containerId, 'container_id'));
    if (!isListed(container)) throw notFound(`container "${container.record.id}" does not exist`);
    return { stats: fromContainerUse(await containerUse(stats, container), stats.layersDir) };
  };
