import { internal } from '../../../src/base/errors.js';
import { sleep } from '../../../src/base/abort.js';
import type { Scratch } from '../scratch.js';
import { patience } from '../settings.js';
import { leakedCgroups } from './cgroups.js';
import { leakedDevices, readDevices, type Devices } from './devices.js';
import { leakedMounts } from './mounts.js';
import { emptyChains, leakedAddresses, leakedInterfaces, ownRules } from './network.js';
import { leakedProcesses } from './processes.js';
import { leakedRecords } from './records.js';
import { leakedRules, readRules, type Rules } from './rules.js';
import { leakedSysctls, readSysctls, type Sysctls } from './sysctls.js';

/** What was there before and is none of the suite's. */
export interface Snapshot {
  readonly emptyChains: ReadonlySet<string>;
  readonly devices: Devices;
  readonly sysctls: Sysctls;
  readonly rules: Rules;
}

export async function snapshot(): Promise<Snapshot> {
  const [chains, devices, sysctls, rules] = await Promise.all([
    emptyChains(),
    readDevices(),
    readSysctls(),
    readRules(),
  ]);
  return { emptyChains: new Set(chains), devices, sysctls, rules };
}

export interface LeakOptions {
  readonly before: Snapshot;
  /** Processes that may live: daemon and registry. */
  readonly expected?: readonly number[];
}

/** Everything of pods and containers that is left on the machine, one line each. */
export async function findLeaks(scratch: Scratch, { before, expected = [] }: LeakOptions): Promise<string[]> {
  const found = await Promise.all([
    leakedProcesses(scratch, expected),
    leakedMounts(scratch),
    leakedCgroups(scratch),
    leakedInterfaces(scratch),
    leakedAddresses(scratch),
    leakedRecords(scratch),
    leakedOwnRules(scratch, before),
    findChanges(before),
  ]);
  return found.flat();
}

/** What changed of the node since then, whatever it is named by: devices, sysctls, rules of packet filters. */
export async function findChanges(before: Snapshot): Promise<string[]> {
  const [devices, sysctls, rules] = await Promise.all([readDevices(), readSysctls(), readRules()]);
  return [
    ...leakedDevices(before.devices, devices),
    ...leakedSysctls(before.sysctls, sysctls),
    ...leakedRules(before.rules, rules),
  ];
}

async function leakedOwnRules(scratch: Scratch, before: Snapshot): Promise<string[]> {
  const [rules, chains] = await Promise.all([ownRules(scratch), emptyChains()]);
  const fresh = chains.filter((chain) => !before.emptyChains.has(chain));
  return [...rules.map(({ table, rule }) => `iptables ${table} ${rule}`), ...fresh.map((chain) => `chain ${chain}`)];
}

/** Monitors end a moment after their container is gone. */
const GRACE_MS = patience(5_000);

/** @throws internal with a line a leak, if what is left is still there after a moment. */
export async function assertNothingLeft(scratch: Scratch, options: LeakOptions): Promise<void> {
  const until = Date.now() + GRACE_MS;
  let leaks = await findLeaks(scratch, options);
  while (leaks.length > 0 && Date.now() < until) {
    await sleep(100);
    leaks = await findLeaks(scratch, options);
  }
  if (leaks.length > 0) throw internal(`left behind:\n${leaks.map((leak) => `  ${leak}`).join('\n')}`);
}
