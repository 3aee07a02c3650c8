import { counter, seconds, type ContainerMeasure, type ContainerMetric } from './definition.js';

/** Pressure stall information, where the kernel has it. */
export const PRESSURE_METRICS: readonly ContainerMetric[] = (['cpu', 'memory', 'io'] as const).flatMap((resource) => {
  const total =
    (line: 'some' | 'full') =>
    ({ cgroup }: ContainerMeasure): bigint | undefined =>
      seconds(cgroup[resource]?.pressure?.[line]?.totalNs);
  return [
    counter(
      `container_pressure_${resource}_waiting_seconds_total`,
      `Time in which a task of the container waited for ${resource}, in seconds.`,
      total('some'),
    ),
    counter(
      `container_pressure_${resource}_stalled_seconds_total`,
      `Time in which all tasks of the container waited for ${resource}, in seconds.`,
      total('full'),
    ),
  ];
});
