import type { DeviceIo } from '../types.js';
import type { ContainerMeasure, ContainerMetric, MetricValue } from './definition.js';

/** What passed between the container and each block device, and what its files take. */
export const DISK_METRICS: readonly ContainerMetric[] = [
  deviceCounter('container_fs_reads_bytes_total', 'Bytes read from a device.', 'readBytes'),
  deviceCounter('container_fs_writes_bytes_total', 'Bytes written to a device.', 'writeBytes'),
  deviceCounter('container_fs_reads_total', 'Reads from a device.', 'reads'),
  deviceCounter('container_fs_writes_total', 'Writes to a device.', 'writes'),
  {
    name: 'container_blkio_device_usage_total',
    help: 'Bytes that passed between the container and a device.',
    type: 'counter',
    labelKeys: ['device', 'major', 'minor', 'operation'],
    values: (measure) => (measure.cgroup.io?.devices ?? []).flatMap((io) => blkio(measure, io)),
  },
  diskGauge('container_fs_usage_bytes', "Bytes of the container's own files.", ({ use }) => toBig(use.layer?.bytes)),
  diskGauge(
    'container_fs_limit_bytes',
    "Size of the file system that the container's files are on, in bytes.",
    (of) => of.disk.bytes,
  ),
  diskGauge(
    'container_fs_inodes_total',
    "Inodes of the file system that the container's files are on.",
    (of) => of.disk.inodes,
  ),
  diskGauge(
    'container_fs_inodes_free',
    "Free inodes of the file system that the container's files are on.",
    (of) => of.disk.inodesFree,
  ),
];

function deviceCounter(name: string, help: string, field: Exclude<keyof DeviceIo, 'device'>): ContainerMetric {
  const values = ({ cgroup, devices }: ContainerMeasure): MetricValue[] =>
    (cgroup.io?.devices ?? []).map((io) => ({ labels: [devices.get(io.device) ?? io.device], value: io[field] }));
  return { name, help, type: 'counter', labelKeys: ['device'], values };
}

function blkio({ devices }: ContainerMeasure, io: DeviceIo): MetricValue[] {
  const [major = '', minor = ''] = io.device.split(':');
  const labels = [devices.get(io.device) ?? io.device, major, minor];
  return [
    { labels: [...labels, 'Read'], value: io.readBytes },
    { labels: [...labels, 'Write'], value: io.writeBytes },
  ];
}

function diskGauge(name: string, help: string, value: (of: ContainerMeasure) => bigint | undefined): ContainerMetric {
  const values = (measure: ContainerMeasure): MetricValue[] => [
    { labels: [measure.disk.device], value: value(measure) },
  ];
  return { name, help, type: 'gauge', labelKeys: ['device'], values };
}

function toBig(value: number | undefined): bigint | undefined {
  return value === undefined ? undefined : BigInt(value);
}
