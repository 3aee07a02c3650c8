import { runtime } from '../../../api/cri/generated/api.cjs';
import type { Handler } from '../../server/handlers.js';
import { fromContainerStatus, isListed as isListedContainer } from '../convert/container-status.js';
import { fromSandboxStatus } from '../convert/sandbox-status.js';
import { toTimestamp } from '../convert/values.js';
import type { PodSnapshot } from '../events/event-hub.js';
import type { RuntimeServiceContext } from './context.js';

const { ContainerEventType } = runtime.v1;

const TYPES = {
  created: ContainerEventType.CONTAINER_CREATED_EVENT,
  started: ContainerEventType.CONTAINER_STARTED_EVENT,
  stopped: ContainerEventType.CONTAINER_STOPPED_EVENT,
  deleted: ContainerEventType.CONTAINER_DELETED_EVENT,
} as const;

export const getContainerEvents = ({ events }: RuntimeServiceContext): Handler<'GetContainerEvents'> =>
  async function* () {
    for await (const snapshot of events.read()) yield fromSnapshot(snapshot);
  };

function fromSnapshot({ event, at, sandbox, containers }: PodSnapshot): runtime.v1.IContainerEventResponse {
  return {
    containerId: event.id,
    containerEventType: TYPES[event.type],
    createdAt: toTimestamp(at),
    ...(sandbox === undefined ? {} : { podSandboxStatus: fromSandboxStatus(sandbox) }),
    containersStatuses: containers.filter(isListedContainer).map(fromContainerStatus),
  };
}
