import type { Handler } from '../../server/handlers.js';
import { fromPodMeasure } from '../convert/metrics.js';
import { measurePods } from '../stats/metrics/measure.js';
import type { RuntimeServiceContext } from './context.js';

export const listPodSandboxMetrics =
  ({ stats }: RuntimeServiceContext): Handler<'ListPodSandboxMetrics'> =>
  async () => ({ podMetrics: (await measurePods(stats)).map(fromPodMeasure) });
