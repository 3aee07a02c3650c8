import { join } from 'node:path';

import { dataLoss } from '../../base/errors.js';
import type { Logger } from '../../base/log.js';
import { ObjectStore, type Stored } from '../../base/object-store.js';
import { isProcessIdentity } from '../../base/sys/process.js';
import type { ContainerRecord, ContainerState, ContainerStatus } from './types.js';

export type Container = Stored<ContainerRecord, ContainerStatus>;
export type ContainerStore = ObjectStore<ContainerRecord, ContainerStatus>;

const VERSION = 1;
const STATES: readonly ContainerState[] = ['creating', 'created', 'unstartable', 'running', 'exited', 'removing'];

/** Opens `<root>/containers`. */
export function openContainerStore(root: string, logger: Logger): Promise<ContainerStore> {
  return ObjectStore.open<ContainerRecord, ContainerStatus>({
    kind: 'container',
    dir: join(root, 'containers'),
    quarantineDir: join(root, 'quarantine'),
    version: VERSION,
    logger,
    parse,
  });
}

/** What later code relies on; the files are ours, so this guards against damage, not against malice. */
function parse(record: Record<string, unknown>, status: Record<string, unknown>): Container {
  const { config, sandboxId, imageId } = record;
  const complete = typeof config === 'object' && config !== null && 'metadata' in config && 'security' in config;
  if (!complete || typeof sandboxId !== 'string' || typeof imageId !== 'string')
    throw dataLoss('the record is incomplete');
  if (!STATES.some((state) => state === status['state'])) throw dataLoss(`unknown state "${String(status['state'])}"`);
  if (!isComplete(status)) throw dataLoss('the status is incomplete');
  return { record: record as unknown as ContainerRecord, status: status as unknown as ContainerStatus };
}

function isComplete({ state, processes, startedAt, finishedAt, exitCode, message }: Record<string, unknown>): boolean {
  if (state === 'exited') return typeof finishedAt === 'string' && typeof exitCode === 'number';
  if (state === 'unstartable') return typeof message === 'string';
  if (state !== 'created' && state !== 'running') return true;
  const { init, monitor, cgroupDir } = (processes ?? {}) as Record<string, unknown>;
  const known = isProcessIdentity(init) && isProcessIdentity(monitor) && typeof cgroupDir === 'string';
  return known && (state === 'created' || typeof startedAt === 'string');
}
