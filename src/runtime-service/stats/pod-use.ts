import { dirname } from 'node:path';

import { errnoOf } from '../../base/errors.js';
import type { ProcessIdentity } from '../../base/sys/process.js';
import { cgroupDirsOf } from '../../oci/cgroup.js';
import type { Sandbox } from '../../sandbox/store.js';
import { containersOf } from '../container/of-sandbox.js';
import { containerUse, type ContainerUse } from './container-use.js';
import type { StatsContext } from './context.js';
import { present } from './present.js';
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
  /** The cgroup of its pause below the hierarchies, while that runs. */
  readonly pausePath?: string;
}

/** Reads what a pod and each of its containers take. */
export async function podUse(context: StatsContext, sandbox: Sandbox): Promise<PodUse> {
  const { record, status } = sandbox;
  const containers = usesOf(context, record.id);
  if (status.state !== 'ready') return { sandbox, containers: await containers };
  const pausePath = cgroupPathOfPause(context.cgroups.host, record.id, status.pause);
  const ownNetwork = record.netnsPath !== undefined;
  const [uses, network, total] = await Promise.all([
    containers,
    ownNetwork ? readNetwork(status.pause) : undefined,
    podSample(context, { sandbox, pausePath, containers }),
  ]);
  return { sandbox, total, ...present({ network, pausePath }), containers: uses };
}

function usesOf(context: StatsContext, sandboxId: string): Promise<ContainerUse[]> {
  const members = containersOf(context.containers, sandboxId).filter(
    ({ status: { state } }) => state !== 'creating' && state !== 'removing',
  );
  return Promise.all(members.map((container) => containerUse(context, container)));
}

interface PodParts {
  readonly sandbox: Sandbox;
  readonly pausePath: string | undefined;
  readonly containers: Promise<readonly ContainerUse[]>;
}

/** kubelet gives each pod a cgroup; one below the daemon's default parent shares it with others. */
async function podSample(
  { cgroups }: StatsContext,
  { sandbox, pausePath, containers }: PodParts,
): Promise<CgroupSample> {
  const ownParent = sandbox.record.config.cgroupParent !== '';
  if (pausePath !== undefined && ownParent) return cgroups.sample(dirname(pausePath));
  const pause = pausePath === undefined ? [] : [await cgroups.sample(pausePath)];
  const others = (await containers).flatMap(({ cgroup }) => (cgroup === undefined ? [] : [cgroup]));
  return sumSamples([...pause, ...others]);
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
