import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { isCgroupV2 } from '../../src/oci/cgroup.js';
import { readCgroupFile, type CgroupFile } from '../harness/cgroup-file.js';
import { inspect } from '../harness/pods.js';
import { openNode, type Node } from './harness/node.js';
import { createPod, resize, RUNNING, waitForPod, type PodObject, type Resources } from './harness/pods.js';

const MIB = 1024 * 1024;
/** What cgroup v1 has for no limit, with pages of 4 KiB. */
const NO_LIMIT = '9223372036854771712';

const SHARES: CgroupFile = { v1: ['cpu', 'cpu.shares'], v2: 'cpu.weight' };
const QUOTA: CgroupFile = { v1: ['cpu', 'cpu.cfs_quota_us'], v2: 'cpu.max' };
const MEMORY: CgroupFile = { v1: ['memory', 'memory.limit_in_bytes'], v2: 'memory.max' };

interface Step {
  /** Of the container as a whole. */
  readonly resources: Resources;
  /** What the kernel has for it then: shares, quota and limit of memory. */
  readonly kernel: readonly [shares: string, quota: string, memory: string];
}

interface Sequence {
  readonly of: string;
  /** The first is what the pod is created with. */
  readonly steps: readonly [Step, ...Step[]];
}

function step(requests: Pair, limits: Partial<Pair>, kernel: Step['kernel']): Step {
  return { resources: { requests, limits }, kernel };
}

type Pair = Readonly<Record<'cpu' | 'memory', string>>;

const SEQUENCES: readonly Sequence[] = [
  {
    of: 'a pod without a limit of memory',
    steps: [
      step({ cpu: '100m', memory: '32Mi' }, { cpu: '200m' }, ['102', '20000', NO_LIMIT]),
      step({ cpu: '200m', memory: '48Mi' }, { cpu: '400m' }, ['204', '40000', NO_LIMIT]),
      step({ cpu: '50m', memory: '24Mi' }, { cpu: '100m' }, ['51', '10000', NO_LIMIT]),
    ],
  },
  {
    of: 'a pod with limits of both',
    steps: [
      step({ cpu: '100m', memory: '32Mi' }, { cpu: '200m', memory: '64Mi' }, ['102', '20000', String(64 * MIB)]),
      step({ cpu: '200m', memory: '48Mi' }, { cpu: '400m', memory: '96Mi' }, ['204', '40000', String(96 * MIB)]),
      step({ cpu: '50m', memory: '24Mi' }, { cpu: '100m', memory: '48Mi' }, ['51', '10000', String(48 * MIB)]),
    ],
  },
  {
    of: 'a guaranteed pod',
    steps: [
      step({ cpu: '100m', memory: '32Mi' }, { cpu: '100m', memory: '32Mi' }, ['102', '10000', String(32 * MIB)]),
      step({ cpu: '200m', memory: '64Mi' }, { cpu: '200m', memory: '64Mi' }, ['204', '20000', String(64 * MIB)]),
      step({ cpu: '50m', memory: '48Mi' }, { cpu: '50m', memory: '48Mi' }, ['51', '5000', String(48 * MIB)]),
    ],
  },
  {
    of: 'a pod without limits, which gets some',
    steps: [
      step({ cpu: '100m', memory: '32Mi' }, {}, ['102', '-1', NO_LIMIT]),
      step({ cpu: '200m', memory: '48Mi' }, {}, ['204', '-1', NO_LIMIT]),
      step({ cpu: '50m', memory: '24Mi' }, {}, ['51', '-1', NO_LIMIT]),
      step({ cpu: '50m', memory: '24Mi' }, { cpu: '150m' }, ['51', '15000', NO_LIMIT]),
      step({ cpu: '50m', memory: '24Mi' }, { cpu: '150m', memory: '64Mi' }, ['51', '15000', String(64 * MIB)]),
    ],
  },
];

const onV1 = isCgroupV2() ? describe.skip : describe;

onV1('kubelet resizes in place (skipped on cgroup v2, whose files are others)', () => {
  let node: Node;
  beforeAll(async () => {
    node = await openNode();
  });
  afterAll(() => node.close());

  async function kernelOf(pod: PodObject): Promise<string[]> {
    const { info } = await inspect(node.house, containerId(pod));
    return Promise.all([SHARES, QUOTA, MEMORY].map((file) => readCgroupFile(info.pid ?? 0, file)));
  }

  it.each(SEQUENCES)('$of', async ({ steps: [first, ...others] }) => {
    const name = await createPod(node, { resources: first.resources });
    const created = await waitForPod(node, name, RUNNING);
    expect(await kernelOf(created)).toEqual(first.kernel);
    for (const { resources, kernel } of others) {
      await resize(node, name, resources);
      const pod = await waitForPod(node, name, resizedTo(resources));
      expect(await kernelOf(pod)).toEqual(kernel);
      expect(containerId(pod)).toBe(containerId(created));
      expect(pod.status.containerStatuses).toMatchObject([{ restartCount: 0, ready: true }]);
    }
  });

  it('by calls that all succeed', async () => {
    const served = await node.house.daemon.log();
    for (const rpc of ['UpdateContainerResources', 'UpdatePodSandboxResources']) expect(served).toContain(rpc);
    expect(await node.kubelet.errors(/Update(ContainerResources|PodSandboxResources)|resize/i)).toEqual([]);
  });
});

/** Kubelet is done with the newest of the pod's generations, has no word of trouble, and tells these resources. */
function resizedTo(resources: Resources): { readonly what: string; test(pod: PodObject): boolean } {
  return {
    what: `has ${JSON.stringify(resources)}`,
    test: ({ metadata, status }) => {
      const resizing = status.conditions?.some(({ type }) => type.startsWith('PodResize')) ?? false;
      const [container] = status.containerStatuses ?? [];
      return (
        !resizing &&
        status.observedGeneration === metadata.generation &&
        sameQuantities(container?.resources, resources) &&
        JSON.stringify(container?.allocatedResources) === JSON.stringify(resources.requests)
      );
    },
  };
}

/** The server has maps in the order of their keys, and leaves empty ones out. */
function sameQuantities(found: Resources | undefined, wanted: Resources): boolean {
  const parts = ['requests', 'limits'] as const;
  return parts.every((part) => JSON.stringify(found?.[part] ?? {}) === JSON.stringify(wanted[part] ?? {}));
}

function containerId({ status }: PodObject): string {
  return status.containerStatuses?.[0]?.containerID.split('//')[1] ?? '';
}
