import { readFileSync } from 'node:fs';

import { invalidArgument } from '../../base/errors.js';
import type { OciCapabilities } from './types.js';

/** Linux capabilities by number (capabilities(7)). */
const NAMES = [
  'CHOWN', 'DAC_OVERRIDE', 'DAC_READ_SEARCH', 'FOWNER', 'FSETID', 'KILL', 'SETGID', 'SETUID', 'SETPCAP',
  'LINUX_IMMUTABLE', 'NET_BIND_SERVICE', 'NET_BROADCAST', 'NET_ADMIN', 'NET_RAW', 'IPC_LOCK', 'IPC_OWNER',
  'SYS_MODULE', 'SYS_RAWIO', 'SYS_CHROOT', 'SYS_PTRACE', 'SYS_PACCT', 'SYS_ADMIN', 'SYS_BOOT', 'SYS_NICE',
  'SYS_RESOURCE', 'SYS_TIME', 'SYS_TTY_CONFIG', 'MKNOD', 'LEASE', 'AUDIT_WRITE', 'AUDIT_CONTROL', 'SETFCAP',
  'MAC_OVERRIDE', 'MAC_ADMIN', 'SYSLOG', 'WAKE_ALARM', 'BLOCK_SUSPEND', 'AUDIT_READ', 'PERFMON', 'BPF',
  'CHECKPOINT_RESTORE',
].map((name) => `CAP_${name}`); // prettier-ignore

/** What a container has unless it asks otherwise: the peers' default set. */
const DEFAULT = [
  'CHOWN', 'DAC_OVERRIDE', 'FSETID', 'FOWNER', 'MKNOD', 'NET_RAW', 'SETGID', 'SETUID', 'SETFCAP', 'SETPCAP',
  'NET_BIND_SERVICE', 'SYS_CHROOT', 'KILL', 'AUDIT_WRITE',
].map((name) => `CAP_${name}`); // prettier-ignore

const ALL = 'CAP_ALL';

export interface CapabilityRequest {
  readonly privileged: boolean;
  /** Names with or without `CAP_`, in any case; `ALL` stands for every one. */
  readonly add: readonly string[];
  readonly drop: readonly string[];
  /** Added to all sets with the ambient one, so that a plain user's program keeps them. */
  readonly addAmbient?: readonly string[];
}

/**
 * The container's capabilities: the default set with `add` and less `drop`; `ALL` first, so that single names correct
 * it. What is both added and dropped is dropped. Only those that this daemon has itself can be given. Inheritable and
 * ambient are those of `addAmbient` alone: others would pass to programs that nobody meant to have them.
 * @throws invalid-argument naming a capability that the kernel does not know.
 */
export function ociCapabilities(
  request: CapabilityRequest,
  available: Pick<ReadonlySet<string>, 'has'> = ownCapabilities(),
): OciCapabilities {
  const chosen = request.privileged ? NAMES : chosenNames(request);
  const given = chosen.filter((name) => available.has(name));
  const ambient = new Set((request.addAmbient ?? []).map(canonicalName));
  const passedOn = given.filter((name) => ambient.has(name) || ambient.has(ALL));
  return {
    ...{ bounding: given, effective: given, permitted: given },
    ...(passedOn.length === 0 ? {} : { inheritable: passedOn, ambient: passedOn }),
  };
}

function chosenNames({ add, drop, addAmbient = [] }: CapabilityRequest): string[] {
  const added = new Set([...add, ...addAmbient].map(canonicalName));
  const dropped = new Set(drop.map(canonicalName));
  const all = added.has(ALL) ? NAMES : DEFAULT;
  const usual = new Set(dropped.has(ALL) ? [] : all);
  return NAMES.filter((name) => (usual.has(name) || added.has(name)) && !dropped.has(name));
}

function canonicalName(given: string): string {
  const upper = given.toUpperCase();
  const name = upper.startsWith('CAP_') ? upper : `CAP_${upper}`;
  if (name !== ALL && !NAMES.includes(name)) throw invalidArgument(`unknown capability "${given}"`);
  return name;
}

/** What this process may hand on: its bounding set, from /proc/self/status. */
export function ownCapabilities(): ReadonlySet<string> {
  own ??= parseMask(/^CapBnd:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0');
  return own;
}

let own: ReadonlySet<string> | undefined;

function parseMask(hex: string): ReadonlySet<string> {
  const mask = BigInt(`0x${hex}`);
  return new Set(NAMES.filter((_, bit) => (mask & (1n << BigInt(bit))) !== 0n));
}
