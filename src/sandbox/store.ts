import { join } from 'node:path';

import { dataLoss } from '../base/errors.js';
import type { Logger } from '../base/log.js';
import { ObjectStore, type Stored } from '../base/object-store.js';
import { isProcessIdentity } from '../base/sys/process.js';
import type { SandboxRecord, SandboxState, SandboxStatus } from './types.js';

export type Sandbox = Stored<SandboxRecord, SandboxStatus>;
export type SandboxStore = ObjectStore<SandboxRecord, SandboxStatus>;

const VERSION = 1;
const STATES: readonly SandboxState[] = ['creating', 'ready', 'not-ready', 'removing'];

/** Opens `<root>/sandboxes`. */
export function openSandboxStore(root: string, logger: Logger): Promise<SandboxStore> {
  return ObjectStore.open<SandboxRecord, SandboxStatus>({
    kind: 'sandbox',
    dir: join(root, 'sandboxes'),
    quarantineDir: join(root, 'quarantine'),
    version: VERSION,
    logger,
    parse,
  });
}

/** What later code relies on; the files are ours, so this guards against damage, not against malice. */
function parse(record: Record<string, unknown>, status: Record<string, unknown>): Sandbox {
  const { config, handler, createdAt } = record;
  const complete = typeof config === 'object' && config !== null && 'metadata' in config && 'namespaces' in config;
  if (!complete || typeof handler !== 'string' || typeof createdAt !== 'string')
    throw dataLoss('the record is incomplete');
  if (!STATES.some((state) => state === status['state'])) throw dataLoss(`unknown state "${String(status['state'])}"`);
  if (status['state'] === 'ready' && !(isProcessIdentity(status['pause']) && Array.isArray(status['ips'])))
    throw dataLoss('the status is incomplete');
  return { record: record as unknown as SandboxRecord, status: status as unknown as SandboxStatus };
}
