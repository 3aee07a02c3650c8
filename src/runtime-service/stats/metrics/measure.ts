import { statfs } from 'node:fs/promises';

import type { Sandbox } from '../../../sandbox/store.js';
import { resourcesOf } from '../../container/resources.js';
import type { ContainerUse } from '../container-use.js';
import type { StatsContext } from '../context.js';
import { deviceNames, deviceOf } from '../device-names.js';
import { readHugePages } from '../huge-pages.js';
import { openFiles } from '../open-files.js';
import { podUse, type PodUse } from '../pod-use.js';
import { present } from '../present.js';
import { cgroupPathOf } from '../read-cgroup.js';
import type { ContainerMeasure, DiskMeasure } from './definition.js';

/** What the metrics of a pod are made of. */
export interface PodMeasure {
  readonly pod: PodUse;
  /** The living ones. */
  readonly containers: readonly ContainerMeasure[];
}

/** The sandboxes that have metrics. */
export function measuredPods({ sandboxes }: StatsContext): Sandbox[] {
  return sandboxes.list().filter(({ status }) => status.state === 'ready');
}

/** Reads all that metrics need of these pods; unless told, of every pod that is ready. */
export async function measurePods(
  context: StatsContext,
  sandboxes: readonly Sandbox[] = measuredPods(context),
): Promise<PodMeasure[]> {
  const [pods, disk] = await Promise.all([
    Promise.all(sandboxes.map((sandbox) => podUse(context, sandbox))),
    measureDisk(context.layersDir),
  ]);
  const used = pods.flatMap(({ containers }) => containers.flatMap(({ cgroup }) => cgroup?.io?.devices ?? []));
  const devices = await deviceNames(used.map(({ device }) => device));
  return Promise.all(
    pods.map(async (pod) => {
      const containers = pod.containers.map((use) => measureContainer(context, use, { devices, disk }));
      return { pod, containers: (await Promise.all(containers)).flat() };
    }),
  );
}

async function measureContainer(
  { cgroups }: StatsContext,
  use: ContainerUse,
  host: Pick<ContainerMeasure, 'devices' | 'disk'>,
): Promise<ContainerMeasure[]> {
  const { container, cgroup } = use;
  const { status } = container;
  if (cgroup === undefined || (status.state !== 'created' && status.state !== 'running')) return [];
  const cgroupPath = cgroupPathOf(cgroups.host, status.processes.cgroupDir);
  const [files, hugePages] = await Promise.all([
    openFiles(cgroup.processes ?? [], status.processes.init.pid),
    readHugePages(cgroups.host, cgroupPath),
  ]);
  return [{ use, cgroup, cgroupPath, resources: resourcesOf(container), ...host, ...present({ files }), hugePages }];
}

async function measureDisk(path: string): Promise<DiskMeasure> {
  const [{ bsize, blocks, files, ffree }, device] = await Promise.all([statfs(path, { bigint: true }), deviceOf(path)]);
  const names = await deviceNames([device]);
  return { device: names.get(device) ?? device, bytes: bsize * blocks, inodes: files, inodesFree: ffree };
}
