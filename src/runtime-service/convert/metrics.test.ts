import { beforeEach, describe, expect, it } from '@jest/globals';

import { runtime } from '../../../api/cri/generated/api.cjs';
import { useScratch } from '../../base/testing.js';
import type { StatsContext } from '../stats/context.js';
import { measurePods } from '../stats/metrics/measure.js';
import { addContainer, addSandbox, openStatsFixture } from '../stats/testing.js';
import { fromPodMeasure, metricDescriptors } from './metrics.js';

const scratch = useScratch('convert-metrics');
const BASE = ['container', 'id', 'image', 'name', 'namespace', 'pod'];

describe('metricDescriptors', () => {
  it('tells names and labels, the common ones first', () => {
    const all = metricDescriptors();
    expect(all.every(({ labelKeys }) => labelKeys?.slice(0, 6).join() === BASE.join())).toBe(true);
    const keys = (name: string): unknown => all.find((one) => one.name === name)?.labelKeys?.slice(6);
    expect(keys('container_cpu_usage_seconds_total')).toEqual(['cpu']);
    expect(keys('container_network_receive_bytes_total')).toEqual(['interface']);
    expect(keys('container_memory_rss')).toEqual([]);
  });
});

describe('fromPodMeasure', () => {
  let context: StatsContext;
  beforeEach(async () => {
    context = await openStatsFixture(scratch);
  });

  it('gives each value the labels that its descriptor tells of', async () => {
    const sandbox = await addSandbox(context);
    const container = await addContainer(context, sandbox.record.id);
    const pods = (await measurePods(context)).map(fromPodMeasure);
    expect(pods.map(({ podSandboxId }) => podSandboxId)).toEqual([sandbox.record.id]);
    const [own] = pods[0]?.containerMetrics ?? [];
    const { id, config } = container.record;
    expect(own?.containerId).toBe(id);
    const pod = sandbox.record.config.metadata.name;
    const labels = [config.metadata.name, `/pods/${id}`, 'example.org/busybox:1', id, 'tests', pod];
    const keysOf = new Map(metricDescriptors().map(({ name, labelKeys }) => [name, labelKeys?.length]));
    for (const { name, labelValues } of own?.metrics ?? []) {
      expect(labelValues?.slice(0, 6)).toEqual(labels);
      expect(labelValues?.length).toBe(keysOf.get(name));
    }
    expect(own?.metrics?.length).toBeGreaterThan(30);
  });

  it('gives value, type and time', async () => {
    const sandbox = await addSandbox(context);
    await addContainer(context, sandbox.record.id);
    const [measure] = await measurePods(context);
    const [own] = measure === undefined ? [] : (fromPodMeasure(measure).containerMetrics ?? []);
    const find = (name: string) => own?.metrics?.find((metric) => metric.name === name);
    const { COUNTER, GAUGE } = runtime.v1.MetricType;
    expect(find('container_memory_rss')).toMatchObject({ metricType: GAUGE, value: toUint(10485760) });
    expect(find('container_oom_events_total')).toMatchObject({ metricType: COUNTER, value: toUint(1) });
    expect(find('container_memory_rss')?.timestamp?.toString()).toBe(measure?.containers[0]?.cgroup.timestamp);
  });

  it('gives the traffic to the pod, under the name that kubelet has for it', async () => {
    const sandbox = await addSandbox(context);
    const one = { rxPackets: 1n, rxErrors: 0n, rxDropped: 0n, txPackets: 1n, txErrors: 0n, txDropped: 0n };
    const primary = { ...one, name: 'eth0', rxBytes: 100n, txBytes: 200n };
    const network = { timestamp: '77', primary, others: [{ ...primary, name: 'net1' }] };
    const pod = { sandbox, network, containers: [], pausePath: '/pods/pause' };
    const { metrics = [], containerMetrics } = fromPodMeasure({ pod, containers: [] });
    expect(containerMetrics).toEqual([]);
    expect(metrics).toHaveLength(16);
    const { id, config } = sandbox.record;
    const labels = ['POD', '/pods/pause', '', id, 'tests', config.metadata.name];
    expect(metrics?.slice(0, 2)).toMatchObject([
      { name: 'container_network_receive_bytes_total', labelValues: [...labels, 'eth0'], value: toUint(100) },
      { name: 'container_network_receive_bytes_total', labelValues: [...labels, 'net1'], value: toUint(100) },
    ]);
    expect(metrics?.[0]?.timestamp?.toString()).toBe('77');
  });
});

function toUint(value: number): object {
  return { value: expect.objectContaining({ low: value, unsigned: true }) as unknown };
}
