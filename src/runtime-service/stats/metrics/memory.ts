import type { MemoryUse } from '../types.js';
import { counter, gauge, type ContainerMeasure, type ContainerMetric, type MetricValue } from './definition.js';

export const MEMORY_METRICS: readonly ContainerMetric[] = [
  gauge('container_memory_usage_bytes', 'Memory in use, file cache included, in bytes.', memory('usage')),
  gauge(
    'container_memory_working_set_bytes',
    'Memory in use without file cache that was not used lately, in bytes.',
    memory('workingSet'),
  ),
  gauge('container_memory_rss', 'Anonymous memory, in bytes.', memory('rss')),
  gauge('container_memory_cache', 'File cache, in bytes.', memory('cache')),
  gauge('container_memory_mapped_file', 'Files mapped into memory, in bytes.', memory('mappedFile')),
  gauge('container_memory_kernel_usage', "The kernel's own memory for the container, in bytes.", memory('kernel')),
  gauge('container_memory_total_active_file_bytes', 'File cache that was used lately, in bytes.', memory('activeFile')),
  gauge(
    'container_memory_total_inactive_file_bytes',
    'File cache that was not used lately, in bytes.',
    memory('inactiveFile'),
  ),
  gauge('container_memory_swap', 'Swap in use, in bytes.', ({ cgroup }) => cgroup.swap?.usage),
  gauge('container_memory_max_usage_bytes', 'The most memory ever in use, in bytes.', memory('peak')),
  counter('container_memory_failcnt', 'How often memory use met its limit.', memory('limitHits')),
  {
    name: 'container_memory_failures_total',
    help: 'Page faults.',
    type: 'counter',
    labelKeys: ['failure_type', 'scope'],
    values: pageFaults,
  },
  hugePages('usage', 'Huge pages in use, in bytes.', 'usage'),
  hugePages('max_usage', 'The most huge pages ever in use, in bytes.', 'peak'),
  counter('container_oom_events_total', 'Processes killed for want of memory.', memory('oomKills')),
];

type Field = Exclude<keyof MemoryUse, 'limit' | 'pageFaults' | 'majorPageFaults' | 'pressure'>;

function memory(field: Field): (measure: ContainerMeasure) => bigint | undefined {
  return ({ cgroup }) => cgroup.memory?.[field];
}

function hugePages(what: string, help: string, field: 'usage' | 'peak'): ContainerMetric {
  const values = ({ hugePages: uses }: ContainerMeasure): MetricValue[] =>
    uses.map((use) => ({ labels: [use.pageSize], value: use[field] }));
  return { name: `container_hugetlb_${what}_bytes`, help, type: 'gauge', labelKeys: ['pagesize'], values };
}

/** What is read counts the cgroups below the container's, too, so both of cAdvisor's scopes are the same. */
function pageFaults({ cgroup: { memory: use } }: ContainerMeasure): MetricValue[] {
  return ['container', 'hierarchy'].flatMap((scope) => [
    { labels: ['pgfault', scope], value: use?.pageFaults },
    { labels: ['pgmajfault', scope], value: use?.majorPageFaults },
  ]);
}
