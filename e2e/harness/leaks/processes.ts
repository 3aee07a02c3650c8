import { readdir, readFile, readlink } from 'node:fs/promises';

import type { Scratch } from '../scratch.js';
import { cgroupMembers } from './cgroups.js';

/** A process of the suite: it is in a cgroup of the suite's, or its command, directory or environment names it. */
export interface OwnProcess {
  readonly pid: number;
  readonly command: string;
}

/** Processes of the suite but the expected ones: daemon, registry and the tests themselves. */
export async function ownProcesses(scratch: Scratch, expected: readonly number[]): Promise<OwnProcess[]> {
  const members = await cgroupMembers(scratch);
  const left = new Set([process.pid, ...expected]);
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const found = await Promise.all(pids.filter((pid) => !left.has(pid)).map((pid) => describe(pid, scratch, members)));
  return found.filter((each) => each !== undefined);
}

export async function leakedProcesses(scratch: Scratch, expected: readonly number[]): Promise<string[]> {
  const found = await ownProcesses(scratch, expected);
  return found.map(({ pid, command }) => `process ${pid}: ${command}`);
}

async function describe(pid: number, { dir }: Scratch, members: Set<number>): Promise<OwnProcess | undefined> {
  const [command, environment] = await Promise.all([text(pid, 'cmdline'), text(pid, 'environ')]);
  const [cwd, executable] = await Promise.all([link(pid, 'cwd'), link(pid, 'exe')]);
  const named = [command, environment, cwd, executable].some((each) => each.includes(dir));
  if (!named && !members.has(pid)) return undefined;
  return { pid, command: command.replaceAll('\0', ' ').trim() || `(${(await text(pid, 'comm')).trim()})` };
}

/** Empty for a process that has just ended. */
function text(pid: number, name: string): Promise<string> {
  return readFile(`/proc/${pid}/${name}`, 'utf8').catch(() => '');
}

function link(pid: number, name: string): Promise<string> {
  return readlink(`/proc/${pid}/${name}`).catch(() => '');
}
