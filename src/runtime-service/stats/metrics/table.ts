import { CPU_METRICS } from './cpu.js';
import type { ContainerMetric, PodMetric } from './definition.js';
import { DISK_METRICS } from './disk.js';
import { MEMORY_METRICS } from './memory.js';
import { NETWORK_METRICS } from './network.js';
import { PRESSURE_METRICS } from './pressure.js';
import { SPEC_METRICS } from './spec.js';

/** Every metric of a container. Constant: kubelet asks for the descriptors once. */
export const CONTAINER_METRICS: readonly ContainerMetric[] = [
  ...CPU_METRICS,
  ...MEMORY_METRICS,
  ...DISK_METRICS,
  ...PRESSURE_METRICS,
  ...SPEC_METRICS,
];

/** Every metric of a pod as a whole. */
export const POD_METRICS: readonly PodMetric[] = NETWORK_METRICS;
