import type { Handler } from '../../server/handlers.js';
import { required } from '../convert/values.js';
import type { RuntimeServiceContext } from './context.js';
import { findRunning } from './lookup.js';
import { wantedStreams } from './wanted-streams.js';

export const attach =
  ({ containers, streaming }: RuntimeServiceContext): Handler<'Attach'> =>
  async (request) => {
    const containerId = required(request.containerId, 'container_id');
    const streams = wantedStreams(request);
    const { record } = findRunning(containers, containerId);
    return { url: await streaming.urlFor({ kind: 'attach', containerId: record.id, ...streams }) };
  };
