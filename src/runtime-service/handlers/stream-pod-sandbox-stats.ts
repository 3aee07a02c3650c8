import { runtime } from '../../../api/cri/generated/api.cjs';
import { inBatches, inChunks } from '../../base/list-chunks.js';
import type { Handler } from '../../server/handlers.js';
import type { RuntimeServiceContext } from './context.js';
import { findPods, statsOf } from './list-pod-sandbox-stats.js';

/** ListPodSandboxStats in pieces; what is not read yet is not measured yet. */
export const streamPodSandboxStats =
  ({ stats }: RuntimeServiceContext): Handler<'StreamPodSandboxStats'> =>
  ({ filter }) =>
    inChunks(inBatches(findPods(stats, filter), async (batch) => (await statsOf(stats, batch)).map(encodeAsListOfOne)));

function encodeAsListOfOne(one: runtime.v1.IPodSandboxStats): Uint8Array {
  return runtime.v1.StreamPodSandboxStatsResponse.encode({ podSandboxStats: [one] }).finish();
}
