import Long from 'long';

import { runtime } from '../../../api/cri/generated/api.cjs';
import { resourcesOf } from '../container/resources.js';
import type { Container } from '../container/store.js';
import type { ContainerStatus } from '../container/types.js';
import { fromMounts } from './mounts.js';
import { fromResources } from './resources.js';
import { toTimestamp } from './values.js';

const { ContainerState, Signal } = runtime.v1;

/** A container under way, to or from existence, is on no list. */
export function isListed({ status }: Container): boolean {
  return status.state !== 'creating' && status.state !== 'removing';
}

export function containerState({ status }: Container): runtime.v1.ContainerState {
  switch (status.state) {
    case 'created':
    case 'unstartable':
      return ContainerState.CONTAINER_CREATED;
    case 'running':
      return ContainerState.CONTAINER_RUNNING;
    case 'exited':
      return ContainerState.CONTAINER_EXITED;
    default:
      return ContainerState.CONTAINER_UNKNOWN;
  }
}

/** What a list entry and a status have in common. All handlers run the same images, so an image's handler is none (ImageSpec.runtime_handler). */
function common(container: Container) {
  const { id, config, imageId, imageRef, createdAt } = container.record;
  return {
    id,
    metadata: config.metadata,
    image: { image: config.image, userSpecifiedImage: config.userSpecifiedImage },
    imageRef,
    imageId,
    state: containerState(container),
    createdAt: toTimestamp(createdAt),
    labels: config.labels,
    annotations: config.annotations,
  };
}

export function fromContainer(container: Container): runtime.v1.IContainer {
  return { ...common(container), podSandboxId: container.record.sandboxId };
}

export function fromContainerStatus(container: Container): runtime.v1.IContainerStatus {
  const { config, imageName, logPath, stopSignal, volumeImages } = container.record;
  const { userSpecifiedImage } = config;
  return {
    ...common(container),
    // kubelet asks by id, and shows what stands here as the image of the container.
    image: { image: imageName ?? config.image, userSpecifiedImage },
    ...outcome(container.status),
    logPath,
    mounts: fromMounts(config.mounts, volumeImages ?? []),
    resources: { linux: fromResources(resourcesOf(container)) },
    ...userOf(container.status),
    stopSignal: Signal[stopSignal as keyof typeof Signal],
  };
}

/** CRI ContainerStatus.user: what init was started with, whatever it has made of itself since. */
function userOf(status: ContainerStatus): Pick<runtime.v1.IContainerStatus, 'user'> {
  if (!('user' in status)) return {};
  const { uid, gid, additionalGids = [] } = status.user;
  const long = (id: number): Long => Long.fromNumber(id);
  return { user: { linux: { uid: long(uid), gid: long(gid), supplementalGroups: additionalGids.map(long) } } };
}

function outcome(status: ContainerStatus): runtime.v1.IContainerStatus {
  if (status.state === 'running') return { startedAt: toTimestamp(status.startedAt) };
  if (status.state !== 'exited') return {};
  const { startedAt, finishedAt, exitCode, reason, message } = status;
  return { startedAt: toTimestamp(startedAt), finishedAt: toTimestamp(finishedAt), exitCode, reason, message };
}
