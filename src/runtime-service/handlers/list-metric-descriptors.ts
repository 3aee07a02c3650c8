import type { Handler } from '../../server/handlers.js';
import { metricDescriptors } from '../convert/metrics.js';

export const listMetricDescriptors = (): Handler<'ListMetricDescriptors'> => () =>
  Promise.resolve({ descriptors: metricDescriptors() });
