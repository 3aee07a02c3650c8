import { isAbsolute, relative } from 'node:path';

import { PROJECT_ROOT } from '../../scripts/project-root.js';
import { invalidArgument } from '../../src/base/errors.js';
import type { CgroupDriver } from '../../src/oci/cgroup.js';

/** What the suites run on; the environment says it, so that the same suites run on every kind of node. */
export interface HarnessSettings {
  /** GANTRY_E2E_RUNTIME: the default handler, a program of this name. */
  readonly runtime: string;
  /** GANTRY_E2E_CGROUP_DRIVER. */
  readonly cgroupDriver: CgroupDriver;
  /** GANTRY_E2E_SLOW: how many times longer than on a common machine everything may take. */
  readonly slowness: number;
  /** GANTRY_E2E_FULL=1: with what `make test` leaves out for its time. */
  readonly full: boolean;
  /** GANTRY_E2E_CRITEST: which of critest's specs, and how they stream; `short` is a selection for slow machines. */
  readonly critest: CritestPart;
  /** GANTRY_E2E_LOGS: a directory where the servers' logs go and stay; else they go with the suite's own directories. */
  readonly logs: string | undefined;
}

export type CritestPart = 'both' | 'spdy' | 'websocket' | 'short';

const RUNTIMES: readonly string[] = ['runc', 'crun'];
const DRIVERS: readonly string[] = ['cgroupfs', 'systemd'] satisfies readonly CgroupDriver[];
const PARTS: readonly string[] = ['both', 'spdy', 'websocket', 'short'] satisfies readonly CritestPart[];

/** @throws invalid-argument naming the variable. */
export function readSettings(env: Readonly<Record<string, string | undefined>>): HarnessSettings {
  const runtime = env['GANTRY_E2E_RUNTIME'] ?? 'runc';
  const cgroupDriver = env['GANTRY_E2E_CGROUP_DRIVER'] ?? 'cgroupfs';
  const slowness = Number(env['GANTRY_E2E_SLOW'] ?? '1');
  if (!RUNTIMES.includes(runtime)) throw unknown('GANTRY_E2E_RUNTIME', runtime, RUNTIMES);
  if (!DRIVERS.includes(cgroupDriver)) throw unknown('GANTRY_E2E_CGROUP_DRIVER', cgroupDriver, DRIVERS);
  const part = env['GANTRY_E2E_CRITEST'] ?? 'both';
  if (!PARTS.includes(part)) throw unknown('GANTRY_E2E_CRITEST', part, PARTS);
  if (!(slowness >= 1)) throw invalidArgument('GANTRY_E2E_SLOW is no number from 1 on');
  return {
    runtime,
    cgroupDriver: cgroupDriver as CgroupDriver,
    slowness,
    full: env['GANTRY_E2E_FULL'] === '1',
    critest: part as CritestPart,
    logs: logsIn(env['GANTRY_E2E_LOGS'] ?? ''),
  };
}

/** A relative one, like an empty one that is joined to a name, would be in the project's own tree. */
function logsIn(directory: string): string | undefined {
  if (directory === '') return undefined;
  if (!isAbsolute(directory)) throw invalidArgument(`GANTRY_E2E_LOGS is no absolute path: "${directory}"`);
  const place = relative(PROJECT_ROOT, directory);
  if (!place.startsWith('..') && !/^build(\/|$)/.test(place))
    throw invalidArgument(`GANTRY_E2E_LOGS is in the project's tree, but not below build: "${directory}"`);
  return directory;
}

function unknown(variable: string, value: string, known: readonly string[]): Error {
  return invalidArgument(`${variable} is "${value}"; there are: ${known.join(', ')}`);
}

export const SETTINGS = readSettings(process.env);

/** Milliseconds that something may take here which takes at most `ms` on a common machine. */
export function patience(ms: number): number {
  return ms * SETTINGS.slowness;
}
