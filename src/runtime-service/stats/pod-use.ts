import { dirname } from 'node:path';

import { errnoOf } from '../../base/errors.js';
import type { ProcessIdentity } from '../../base/sys/process.js';
import { cgroupDirsOf } from '../../oci/cgroup.js';
import type { Sandbox } from '../../sandbox/store.js';
import { containerUse, type ContainerUse } from './container-use.js';
import type { StatsContext } from './context.js';
import { readNetwork, type NetworkUse } from './pod-network.js';
import { cgroupPathOf } from './read-cgroup.js';
import { sumSamples } from './sum-samples.js';
import type { CgroupSample } from './types.js';

/** What a pod takes at one time. */
export interface PodUse {
  readonly sandbox: Sandbox;
  /** Of the pod's cgroup, or of its containers and its pause together. Absent for a sandbox that is not ready. */
  readonly total?: CgroupSample;
  /** Absent on the node's network. */
  readonly network?: NetworkUse;
  readonly containers: readonly ContainerUse[];
}

/** Reads what a pod and each of its containers take. */
export async function podUse(context: StatsContext, sandbox: Sandbox): Promise<PodUse> {
  const { record, status } = sandbox;
  const members = context.containers
    .list()
    .filter((container) => container.record.sandboxId === record.id)
    .filter(({ status: { state } }) => state === 'created' || state === 'running' || state === 'exited');
  const containers = Promise.all(members.map((container) => containerUse(context, container)));
  if (status.state !== 'ready') return { sandbox, containers: await containers };
  const ownNetwork = record.netnsPath !== undefined;
  const [uses, network, total] = await Promise.all([
    containers,
    ownNetwork ? readNetwork(status.pause) : undefined,
    podSample(context, { sandbox, pause: status.pause, containers }),
  ]);
  return { sandbox, total, ...(network === undefined ? {} : { network }), containers: uses };
}

interface PodParts {
  readonly sandbox: Sandbox;
  readonly pause: ProcessIdentity;
  readonly containers: Promise<readonly ContainerUse[]>;
}

/** kubelet gives each pod a cgroup; one below the daemon's default parent shares it with others. */
async function podSample({ cgroups }: StatsContext, parts: PodParts): Promise<CgroupSample> {
  const { record } = parts.sandbox;
  const pausePath = cgroupPathOfPause(cgroups.host, record.id, parts.pause);
  if (pausePath !== undefined && record.config.cgroupParent !== '') return cgroups.sample(dirname(pausePath));
  const pause = pausePath === undefined ? [] : [await cgroups.sample(pausePath)];
  const containers = (await parts.containers).flatMap(({ cgroup }) => (cgroup === undefined ? [] : [cgroup]));
  return sumSamples([...pause, ...containers]);
}

/** Where the pause really is: with systemd the parent's path follows from its name. Undefined if it has ended. */
function cgroupPathOfPause(
  host: StatsContext['cgroups']['host'],
  id: string,
  { pid }: ProcessIdentity,
): string | undefined {
  try {
    const dir = cgroupDirsOf(pid).find((path) => path.includes(id));
    return dir === undefined ? undefined : cgroupPathOf(host, dir);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ESRCH') return undefined;
    throw error;
  }
}
