import { readFile } from 'node:fs/promises';

import { nowNs } from '../../base/clock.js';
import { errnoOf } from '../../base/errors.js';
import { isAlive, type ProcessIdentity } from '../../base/sys/process.js';
import { parseNetDev, type InterfaceUse } from './parse-net-dev.js';

/** The traffic of a pod since its start. */
export interface NetworkUse {
  /** Nanoseconds since the epoch, decimal. */
  readonly timestamp: string;
  /** `eth0`, the name that CNI's plugins are given, or the first one where there is no such. */
  readonly primary: InterfaceUse;
  readonly others: readonly InterfaceUse[];
}

/** Reads the interfaces that a process sees, but for loopback; undefined if there are none, or the process has ended. */
export async function readNetwork(process: ProcessIdentity): Promise<NetworkUse | undefined> {
  const text = await readFile(`/proc/${process.pid}/net/dev`, 'utf8').catch(ignoreEnded);
  // Looked at after the reading: the number may be another process's by now.
  if (text === undefined || !isAlive(process)) return undefined;
  const interfaces = parseNetDev(text).filter(({ name }) => name !== 'lo');
  const primary = interfaces.find(({ name }) => name === 'eth0') ?? interfaces[0];
  if (primary === undefined) return undefined;
  return { timestamp: nowNs(), primary, others: interfaces.filter((one) => one !== primary) };
}

/** EINVAL: the process is a zombie, whose namespaces are gone. */
function ignoreEnded(error: unknown): undefined {
  if (['ENOENT', 'ESRCH', 'EINVAL'].includes(errnoOf(error) ?? '')) return undefined;
  throw error;
}
