import { existsSync } from 'node:fs';
import { chmod, mkdir } from 'node:fs/promises';
import { join } from 'node:path';

import { MINIMAL_ENV, run } from '../../src/base/spawn.js';
import { isCgroupV2 } from '../../src/oci/cgroup.js';
import { unfitOn } from './containerd-unfit.js';
import { newestRuntime } from './critest.js';
import { TOOLS } from './crictl.js';
import type { Settings } from './daemon.js';
import { readGoTests, unpassed, type GoTest } from './go-tests.js';
import type { House } from './house.js';
import type { Scratch } from './scratch.js';

const SUITE = join(TOOLS, 'containerd-suite');

/** What the suite finds at /var/lib, in a mount namespace of its own: it asks there what containerd's file system can do. */
const IN_OWN_NAMESPACE = 'mount --bind "$0" /var/lib && exec "$@"';

/** Those that do not pass on this host. */
export const UNFIT_HERE = unfitOn({ cgroupV2: isCgroupV2(), selinux: existsSync('/sys/fs/selinux/enforce') });

/** Makes what the suite needs beside the house. Its volumes are below the directory, so everybody may pass and look. */
export async function prepareSuite(scratch: Scratch): Promise<Settings> {
  await chmod(scratch.dir, 0o755);
  await mkdir(temporary(scratch));
  await mkdir(join(library(scratch), 'containerd-test'), { recursive: true });
  return newestRuntime();
}

/** The names of all tests of the suite, sorted. It asks the daemon even for this. */
export async function listSuite(house: House): Promise<string[]> {
  const { stdout } = await runSuite(house, ['-test.list=^Test'], 60_000);
  return stdout.trim().split('\n').sort();
}

/** Runs one test with its subtests. Returns those that did not pass, with what they said. */
export async function runSuiteTest(house: House, name: string, timeoutMs: number): Promise<GoTest[]> {
  const args = ['-test.v', `-test.run=^${name}$`, `-test.timeout=${timeoutMs}ms`];
  const { stdout, stderr } = await runSuite(house, args, timeoutMs + 10_000);
  const tests = readGoTests(stdout);
  if (tests.length === 0) return [{ name, outcome: 'failed', output: `it was not run: ${stderr}` }];
  // A panic is told of on stderr alone.
  return unpassed(tests).map((test) => ({ ...test, output: `${test.output}\n${stderr}` }));
}

/** Each with what it says where that is what was expected, else with all that it said. */
export function saidBy(tests: readonly GoTest[]): Readonly<Record<string, string>> {
  return Object.fromEntries(tests.map((test) => [test.name, said(test)]));
}

/** What is to be said by those of a test that are not fit for it. */
export function expectedOf(name: string): Readonly<Record<string, string>> {
  const own = Object.entries(UNFIT_HERE).filter(([each]) => each.split('/')[0] === name);
  return Object.fromEntries(own.map(([each, { says }]) => [each, says]));
}

/** One complaint may be the one that was expected; a second is news. */
function said({ name, outcome, output }: GoTest): string {
  const says = UNFIT_HERE[name]?.says;
  const complaints = output.split('Error Trace:').length - 1;
  return says !== undefined && complaints <= 1 && output.includes(says) ? says : `${outcome}: ${output.slice(-4000)}`;
}

async function runSuite(house: House, args: readonly string[], timeoutMs: number) {
  const { scratch } = house;
  const command = [SUITE, `-cri-endpoint=unix://${scratch.socket}`, ...args];
  const { stdout, stderr } = await run(
    'unshare',
    ['--mount', 'sh', '-c', IN_OWN_NAMESPACE, library(scratch), ...command],
    {
      timeoutMs,
      cwd: scratch.dir,
      // It asks the runc in PATH what it can do.
      env: { ...MINIMAL_ENV, PATH: `${TOOLS}:${MINIMAL_ENV['PATH'] ?? ''}`, TMPDIR: temporary(scratch) },
    },
  );
  return { stdout: stdout.toString(), stderr: stderr.toString() };
}

function temporary({ dir }: Scratch): string {
  return join(dir, 'tmp');
}

function library({ dir }: Scratch): string {
  return join(dir, 'lib');
}
