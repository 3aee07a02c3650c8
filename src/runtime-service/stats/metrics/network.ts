import type { InterfaceUse } from '../parse-net-dev.js';
import type { PodUse } from '../pod-use.js';
import type { MetricValue, PodMetric } from './definition.js';

/** The traffic of a pod, by interface. */
export const NETWORK_METRICS: readonly PodMetric[] = [
  network('receive_bytes', 'Bytes received.', 'rxBytes'),
  network('receive_packets', 'Packets received.', 'rxPackets'),
  network('receive_packets_dropped', 'Packets dropped on receiving.', 'rxDropped'),
  network('receive_errors', 'Errors on receiving.', 'rxErrors'),
  network('transmit_bytes', 'Bytes sent.', 'txBytes'),
  network('transmit_packets', 'Packets sent.', 'txPackets'),
  network('transmit_packets_dropped', 'Packets dropped on sending.', 'txDropped'),
  network('transmit_errors', 'Errors on sending.', 'txErrors'),
];

function network(what: string, help: string, field: Exclude<keyof InterfaceUse, 'name'>): PodMetric {
  const values = ({ network: use }: PodUse): MetricValue[] =>
    use === undefined ? [] : [use.primary, ...use.others].map((one) => ({ labels: [one.name], value: one[field] }));
  return { name: `container_network_${what}_total`, help, type: 'counter', labelKeys: ['interface'], values };
}
