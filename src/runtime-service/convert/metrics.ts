import type Long from 'long';

import { runtime } from '../../../api/cri/generated/api.cjs';
import { BASE_LABELS, type ContainerMeasure, type Metric } from '../stats/metrics/definition.js';
import type { PodMeasure } from '../stats/metrics/measure.js';
import { CONTAINER_METRICS, POD_METRICS } from '../stats/metrics/table.js';
import { toUint64 } from './container-stats.js';
import { toTimestamp } from './values.js';

const { MetricType } = runtime.v1;
const TYPES = { counter: MetricType.COUNTER, gauge: MetricType.GAUGE } as const;

/** What kubelet calls the container that stands for the pod itself. */
const POD_CONTAINER = 'POD';

export function metricDescriptors(): runtime.v1.IMetricDescriptor[] {
  return [...CONTAINER_METRICS, ...POD_METRICS].map(({ name, help, labelKeys }) => ({
    name,
    help,
    labelKeys: [...BASE_LABELS, ...labelKeys],
  }));
}

export function fromPodMeasure({ pod, containers }: PodMeasure): runtime.v1.IPodSandboxMetrics {
  const { id, config } = pod.sandbox.record;
  const { namespace, name } = config.metadata;
  const labels = labelsOf({
    container: POD_CONTAINER,
    id: pod.pausePath ?? '',
    image: '',
    name: id,
    namespace,
    pod: name,
  });
  const at = toTimestamp(pod.network?.timestamp);
  return {
    podSandboxId: id,
    metrics: POD_METRICS.flatMap((metric) => valuesOf(metric, pod, { labels, at })),
    containerMetrics: containers.map((measure) => fromContainerMeasure(measure, { namespace, pod: name })),
  };
}

function fromContainerMeasure(
  measure: ContainerMeasure,
  pod: { readonly namespace: string; readonly pod: string },
): runtime.v1.IContainerMetrics {
  const { id, config } = measure.use.container.record;
  const image = config.userSpecifiedImage === '' ? config.image : config.userSpecifiedImage;
  const labels = labelsOf({ container: config.metadata.name, id: measure.cgroupPath, image, name: id, ...pod });
  const at = toTimestamp(measure.cgroup.timestamp);
  return {
    containerId: id,
    metrics: CONTAINER_METRICS.flatMap((metric) => valuesOf(metric, measure, { labels, at })),
  };
}

function labelsOf(labels: Readonly<Record<(typeof BASE_LABELS)[number], string>>): string[] {
  return BASE_LABELS.map((key) => labels[key]);
}

function valuesOf<Subject>(
  { name, type, values }: Metric<Subject>,
  subject: Subject,
  { labels, at }: { readonly labels: readonly string[]; readonly at: Long },
): runtime.v1.IMetric[] {
  return values(subject)
    .filter(({ value }) => value !== undefined)
    .map(({ value, labels: own = [] }) => ({
      name,
      timestamp: at,
      metricType: TYPES[type],
      labelValues: [...labels, ...own],
      value: toUint64(value),
    }));
}
