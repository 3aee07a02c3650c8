import { gauge, seconds, type ContainerMeasure, type ContainerMetric } from './definition.js';

/** What applies where no period is asked for (kernel, Documentation/scheduler/sched-bwc.rst). */
const DEFAULT_PERIOD_US = 100_000n;

/** What the container is, and what it was granted. */
export const SPEC_METRICS: readonly ContainerMetric[] = [
  gauge('container_processes', 'Processes.', ({ cgroup }) => big(cgroup.processes?.length)),
  gauge('container_file_descriptors', 'Open file descriptors.', ({ files }) => big(files?.descriptors)),
  gauge('container_sockets', 'Open sockets.', ({ files }) => big(files?.sockets)),
  {
    name: 'container_ulimits_soft',
    help: "Soft limits of the container's first process; none where there is no limit.",
    type: 'gauge',
    labelKeys: ['ulimit'],
    values: ({ files }) => [{ labels: ['max_open_files'], value: big(files?.limit) }],
  },
  gauge('container_threads', 'Threads.', ({ cgroup }) => cgroup.tasks?.threads),
  gauge('container_threads_max', 'The most threads allowed; 0 is any number.', ({ cgroup: { tasks } }) =>
    tasks === undefined ? undefined : (tasks.limit ?? 0n),
  ),
  gauge('container_last_seen', 'When the container was last seen, in seconds since the epoch.', ({ cgroup }) =>
    seconds(cgroup.timestamp),
  ),
  gauge('container_start_time_seconds', 'When the container was started, in seconds since the epoch.', startTime),
  gauge('container_spec_cpu_period', 'Length of a period of the CPU quota, in microseconds.', ({ resources }) =>
    resources.cpuPeriod > 0 ? BigInt(resources.cpuPeriod) : DEFAULT_PERIOD_US,
  ),
  gauge('container_spec_cpu_quota', 'CPU time granted a period, in microseconds.', ({ resources }) =>
    resources.cpuQuota > 0 ? BigInt(resources.cpuQuota) : undefined,
  ),
  gauge('container_spec_cpu_shares', 'Share of the CPU time, compared with others.', ({ resources }) =>
    resources.cpuShares > 0 ? BigInt(resources.cpuShares) : undefined,
  ),
  gauge('container_spec_memory_limit_bytes', 'Memory allowed, in bytes; 0 is any.', ({ cgroup: { memory } }) =>
    memory === undefined ? undefined : (memory.limit ?? 0n),
  ),
  gauge('container_spec_memory_reservation_limit_bytes', 'Memory kept for the container, in bytes.', () => 0n),
  gauge(
    'container_spec_memory_swap_limit_bytes',
    'Swap allowed, on cgroup v1 with memory, in bytes; 0 is any or none.',
    ({ cgroup: { swap } }) => (swap === undefined ? undefined : (swap.limitWithMemory ?? swap.limit ?? 0n)),
  ),
];

function big(value: number | undefined): bigint | undefined {
  return value === undefined ? undefined : BigInt(value);
}

function startTime({ use }: ContainerMeasure): bigint | undefined {
  const { status } = use.container;
  return status.state === 'running' ? seconds(status.startedAt) : undefined;
}
