import { runtime } from '../../../api/cri/generated/api.cjs';
import { inBatches, inChunks } from '../../base/list-chunks.js';
import type { Handler } from '../../server/handlers.js';
import type { RuntimeServiceContext } from './context.js';
import { findContainers, statsOf } from './list-container-stats.js';

/** ListContainerStats in pieces; what is not read yet is not measured yet. */
export const streamContainerStats =
  ({ stats }: RuntimeServiceContext): Handler<'StreamContainerStats'> =>
  ({ filter }) =>
    inChunks(
      inBatches(findContainers(stats, filter), async (batch) => (await statsOf(stats, batch)).map(encodeAsListOfOne)),
    );

function encodeAsListOfOne(one: runtime.v1.IContainerStats): Uint8Array {
  return runtime.v1.StreamContainerStatsResponse.encode({ containerStats: [one] }).finish();
}
