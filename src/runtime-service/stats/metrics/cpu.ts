import { counter, seconds, type ContainerMeasure, type ContainerMetric } from './definition.js';

/** Only where there is a quota, or one was ever enforced; cAdvisor has it so, but for a quota whose first period is not over. */
function enforced({ cgroup: { cpu }, resources }: ContainerMeasure): typeof cpu {
  return cpu !== undefined && (cpu.periods > 0n || resources.cpuQuota > 0) ? cpu : undefined;
}

export const CPU_METRICS: readonly ContainerMetric[] = [
  {
    name: 'container_cpu_usage_seconds_total',
    help: 'CPU time used, in seconds.',
    type: 'counter',
    labelKeys: ['cpu'],
    values: ({ cgroup }) => [{ labels: ['total'], value: seconds(cgroup.cpu?.usageNs) }],
  },
  counter('container_cpu_user_seconds_total', 'CPU time used in user mode, in seconds.', ({ cgroup }) =>
    seconds(cgroup.cpu?.userNs),
  ),
  counter('container_cpu_system_seconds_total', 'CPU time used in the kernel, in seconds.', ({ cgroup }) =>
    seconds(cgroup.cpu?.systemNs),
  ),
  counter(
    'container_cpu_cfs_periods_total',
    'Periods in which the CPU quota was enforced.',
    (measure) => enforced(measure)?.periods,
  ),
  counter(
    'container_cpu_cfs_throttled_periods_total',
    'Periods in which the CPU quota was used up.',
    (measure) => enforced(measure)?.throttledPeriods,
  ),
  counter(
    'container_cpu_cfs_throttled_seconds_total',
    'Time waited for the next period of the CPU quota, in seconds.',
    (measure) => seconds(enforced(measure)?.throttledNs),
  ),
];
