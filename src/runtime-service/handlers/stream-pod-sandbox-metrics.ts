import { runtime } from '../../../api/cri/generated/api.cjs';
import { inBatches, inChunks } from '../../base/list-chunks.js';
import type { Handler } from '../../server/handlers.js';
import { fromPodMeasure } from '../convert/metrics.js';
import { measuredPods, measurePods } from '../stats/metrics/measure.js';
import type { RuntimeServiceContext } from './context.js';

/** ListPodSandboxMetrics in pieces; what is not read yet is not measured yet. */
export const streamPodSandboxMetrics =
  ({ stats }: RuntimeServiceContext): Handler<'StreamPodSandboxMetrics'> =>
  () =>
    inChunks(
      inBatches(measuredPods(stats), async (batch) =>
        (await measurePods(stats, batch)).map((measure) => encodeAsListOfOne(fromPodMeasure(measure))),
      ),
    );

function encodeAsListOfOne(one: runtime.v1.IPodSandboxMetrics): Uint8Array {
  return runtime.v1.StreamPodSandboxMetricsResponse.encode({ podSandboxMetrics: [one] }).finish();
}
