import { inChunks } from '../../base/list-chunks.js';
import type { Handler } from '../../server/handlers.js';
import type { RuntimeServiceContext } from './context.js';
import { encodedSandboxes, findSandboxes } from './list-pod-sandbox.js';

/** ListPodSandbox in pieces, for lists that exceed a message; as they are when the call begins. */
export const streamPodSandboxes =
  ({ sandboxes }: RuntimeServiceContext): Handler<'StreamPodSandboxes'> =>
  ({ filter }) =>
    inChunks(encodedSandboxes.entries(findSandboxes(sandboxes.store, filter)));
