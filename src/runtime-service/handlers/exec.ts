import { invalidArgument } from '../../base/errors.js';
import type { Handler } from '../../server/handlers.js';
import { required } from '../convert/values.js';
import type { RuntimeServiceContext } from './context.js';
import { findRunning } from './lookup.js';
import { wantedStreams } from './wanted-streams.js';

export const exec =
  ({ containers, streaming }: RuntimeServiceContext): Handler<'Exec'> =>
  async (request) => {
    const containerId = required(request.containerId, 'container_id');
    if (request.cmd.length === 0) throw invalidArgument('cmd is empty');
    const streams = wantedStreams(request);
    const { record } = findRunning(containers, containerId);
    const target = { kind: 'exec', containerId: record.id, command: request.cmd, ...streams } as const;
    return { url: await streaming.urlFor(target) };
  };
