import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { nowNs } from '../../base/clock.js';
import { newId } from '../../base/ids.js';
import { silentLogger } from '../../base/log.js';
import type { ProcessIdentity } from '../../base/sys/process.js';
import type { Scratch } from '../../base/testing.js';
import { NO_LIMITS } from '../../oci/spec/resources.js';
import { openSandboxStore, type Sandbox } from '../../sandbox/store.js';
import type { SandboxRecord } from '../../sandbox/types.js';
import { openContainerStore, type Container } from '../container/store.js';
import type { ContainerRecord, ContainerStatus } from '../container/types.js';
import { V2_CGROUP, writeCgroup } from './cgroup-fixture.js';
import type { StatsContext } from './context.js';
import type { CgroupHost } from './read-cgroup.js';
import { CgroupSampler } from './sample-cgroup.js';
import { TreeMeasurer } from './tree-measurer.js';
import { WritableLayers } from './writable-layers.js';

const NOBODY: ProcessIdentity = { pid: 2 ** 22 + 1, startTime: '0@none' };

/** A context on a test's directory: real stores, with recorded v2 cgroups below `cgroup`. */
export async function openStatsFixture(scratch: Scratch): Promise<StatsContext> {
  const logger = silentLogger();
  const measurer = new TreeMeasurer();
  scratch.defer(() => measurer.close());
  await mkdir(scratch.path('cgroup'));
  return {
    containers: await openContainerStore(scratch.root, logger),
    sandboxes: await openSandboxStore(scratch.root, logger),
    cgroups: new CgroupSampler({ mount: scratch.path('cgroup'), version: 2 }),
    layers: new WritableLayers({ measurer, logger, timing: { minAgeMs: 10_000, patienceMs: 20_000 } }),
    layersDir: scratch.path('containers'),
  };
}

export interface SandboxWishes {
  readonly pause?: ProcessIdentity;
  readonly labels?: Readonly<Record<string, string>>;
  readonly hostNetwork?: boolean;
}

/** Adds a ready sandbox. */
export async function addSandbox(context: StatsContext, wishes: SandboxWishes = {}): Promise<Sandbox> {
  const { pause = NOBODY, labels = {}, hostNetwork = true } = wishes;
  const id = newId();
  const metadata = { name: `pod-${id.slice(0, 6)}`, uid: id, namespace: 'tests', attempt: 2 };
  const config = { metadata, labels, annotations: { note: 'pod' }, cgroupParent: '' };
  const netns = hostNetwork ? {} : { netnsPath: '/run/netns/none' };
  await context.sandboxes.create({ id, config, ...netns } as unknown as SandboxRecord, { state: 'creating' });
  return context.sandboxes.update(id, () => ({ state: 'ready', pause, ips: [] }));
}

export interface ContainerWishes {
  readonly state?: 'created' | 'running' | 'exited' | 'removing';
  readonly labels?: Readonly<Record<string, string>>;
  readonly resources?: object;
}

/** Adds a container with {@link V2_CGROUP} for its cgroup and one file of its own. */
export async function addContainer(
  context: StatsContext,
  sandboxId: string,
  wishes: ContainerWishes = {},
): Promise<Container> {
  const { state = 'running', labels = {}, resources = {} } = wishes;
  const id = newId();
  const config = {
    metadata: { name: `c-${id.slice(0, 6)}`, attempt: 1 },
    image: 'sha256:1234',
    userSpecifiedImage: 'example.org/busybox:1',
    labels,
    annotations: { note: 'container' },
    resources: { ...NO_LIMITS, ...resources },
  };
  const record = { id, sandboxId, config, createdAt: nowNs() } as unknown as ContainerRecord;
  await context.containers.create(record, { state: 'creating' });
  await mkdir(join(context.containers.dirOf(id), 'upper'));
  await writeFile(join(context.containers.dirOf(id), 'upper', 'file'), Buffer.alloc(10_000, 1));
  await writeCgroup(context.cgroups.host, `/pods/${id}`, V2_CGROUP);
  return context.containers.update(id, () => statusOf(context.cgroups.host, id, state));
}

function statusOf({ mount }: CgroupHost, id: string, state: NonNullable<ContainerWishes['state']>): ContainerStatus {
  const processes = { init: NOBODY, monitor: NOBODY, cgroupDir: join(mount, 'pods', id) };
  const startedAt = '1700000000123456789';
  const ended = { finishedAt: startedAt, exitCode: 0, reason: 'Completed', message: '' } as const;
  if (state === 'removing') return { state };
  if (state === 'created') return { state, processes };
  return state === 'running' ? { state, processes, startedAt } : { state, startedAt, ...ended };
}
