import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

import { run } from '../../../src/base/spawn.js';
import type { Scratch } from '../scratch.js';

/** Pinned network namespaces, and host ends of pods' interfaces that hang on the bridge. */
export async function leakedInterfaces(scratch: Scratch): Promise<string[]> {
  const pins = await readdir(scratch.netns);
  const ports = await bridgePorts(scratch);
  return [
    ...pins.map((name) => `network namespace ${join(scratch.netns, name)}`),
    ...ports.map((name) => `interface ${name} on ${scratch.bridge}`),
  ];
}

export async function bridgePorts({ bridge }: Scratch): Promise<string[]> {
  const { stdout } = await run('ip', ['-o', 'link', 'show', 'master', bridge], { timeoutMs: 10_000 });
  const ports = stdout.toString().matchAll(/^\d+: ([^:@]+)/gm);
  return [...ports].map(([, name = '']) => name);
}

/** Addresses that host-local still holds: a file each, beside its lock and the note of the last address. */
export async function leakedAddresses(scratch: Scratch): Promise<string[]> {
  const entries = await readdir(scratch.ipam, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map(({ name }) => name);
  const held = files.filter((name) => name !== 'lock' && !name.startsWith('last_reserved_ip.'));
  return held.map((name) => `address ${name}`);
}

/** Where CNI plugins leave rules. */
const TABLES = ['nat', 'filter'] as const;

/** Rules that name the suite's network, bridge or subnet, as iptables-save writes them. */
export async function ownRules(scratch: Scratch): Promise<{ table: string; rule: string }[]> {
  const ours = [scratch.network, scratch.bridge, `${scratch.subnet}.`];
  const found = TABLES.map(async (table) => {
    const rules = (await save(table)).filter((line) => line.startsWith('-A'));
    return rules.filter((rule) => ours.some((name) => rule.includes(name))).map((rule) => ({ table, rule }));
  });
  return (await Promise.all(found)).flat();
}

/** CNI plugins name a container's chains by a hash of network and container. */
export function isPluginChain(name: string): boolean {
  return /^CNI-(?:[A-Z]+-)?[0-9a-f]{16,}$/.test(name);
}

/** Containers' chains without a rule: an empty one does not tell whose it is. */
export async function emptyChains(): Promise<string[]> {
  const lines = await save('nat');
  const chains = lines.flatMap((line) => /^:(\S+)/.exec(line)?.[1] ?? []).filter(isPluginChain);
  return chains.filter((chain) => !lines.some((line) => line.startsWith(`-A ${chain} `)));
}

async function save(table: string): Promise<string[]> {
  const { stdout } = await run('iptables-save', ['-t', table], { timeoutMs: 10_000 });
  return stdout.toString().split('\n');
}
