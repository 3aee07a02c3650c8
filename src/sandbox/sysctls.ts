import { errnoOf, invalidArgument } from '../base/errors.js';
import { writeInNetns } from '../base/sys/sys.js';
import type { SandboxConfig } from './types.js';

/** A pod's sysctls by who writes them: the daemon into the network namespace after ADD, or the runtime. */
export interface SysctlPlan {
  /** Files below /proc/sys/net with their values. */
  readonly network: readonly (readonly [path: string, value: string])[];
  readonly runtime: Readonly<Record<string, string>>;
}

const IPC = /^(kernel\.(msgmax|msgmnb|msgmni|sem|shmall|shmmax|shmmni|shm_rmid_forced)|fs\.mqueue\.[\w]+)$/;
/** Two separators in a row would climb out of /proc/sys/net. */
const NET = /^net\.[\w./@:-]+$/;

/**
 * Splits the sysctls, and refuses what is not of the pod's own namespaces: it would change the node.
 * @throws invalid-argument naming the sysctl.
 */
export function planSysctls({ sysctls, namespaces }: SandboxConfig): SysctlPlan {
  const network: [string, string][] = [];
  const runtime: Record<string, string> = {};
  for (const [given, value] of Object.entries(sysctls)) {
    const name = dotted(given);
    const refuse = (why: string): never => {
      throw invalidArgument(`sysctl "${given}" ${why}`);
    };
    if (NET.test(name) && !/[./]{2}|[./]$/.test(name)) {
      if (namespaces.network === 'node') refuse("is the node's: the pod uses the node's network");
      network.push([sysctlPath(name), value]);
    } else if (IPC.test(name)) {
      if (namespaces.ipc === 'node') refuse("is the node's: the pod uses the node's IPC namespace");
      runtime[name] = value;
    } else {
      refuse('is of no namespace of the pod');
    }
  }
  return { network, runtime };
}

/** sysctl(8): the first of dot and slash separates, and the other stands for a dot within a name. */
function dotted(given: string): string {
  return given.indexOf('/') < 0 || (given.includes('.') && given.indexOf('.') < given.indexOf('/'))
    ? given
    : swap(given);
}

/** `net.ipv4.conf.eth0/1.rp_filter` is `net/ipv4/conf/eth0.1/rp_filter`. */
function sysctlPath(name: string): string {
  return `/proc/sys/${swap(name)}`;
}

function swap(name: string): string {
  return name.replace(/[./]/g, (c) => (c === '.' ? '/' : '.'));
}

/** What is no word on a sysctl, but on the node. */
const OURS = ['EIO', 'EINTR', 'EAGAIN', 'ENOMEM', 'EMFILE', 'ENFILE', 'ENOSPC', undefined];

/** Writes the network's part of the plan. @throws invalid-argument naming what the kernel refuses. */
export async function writeNetworkSysctls(netnsPath: string, { network }: SysctlPlan): Promise<void> {
  if (network.length === 0) return;
  try {
    await writeInNetns(netnsPath, network);
  } catch (error) {
    if (OURS.includes(errnoOf(error))) throw error;
    throw invalidArgument('the kernel refuses a sysctl', error);
  }
}
