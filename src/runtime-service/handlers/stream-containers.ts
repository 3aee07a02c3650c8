import { inChunks } from '../../base/list-chunks.js';
import type { Handler } from '../../server/handlers.js';
import type { RuntimeServiceContext } from './context.js';
import { encodedContainers, findContainers } from './list-containers.js';

/** ListContainers in pieces, for lists that exceed a message; as they are when the call begins. */
export const streamContainers =
  ({ containers }: RuntimeServiceContext): Handler<'StreamContainers'> =>
  ({ filter }) =>
    inChunks(encodedContainers.entries(findContainers(containers.store, filter)));
