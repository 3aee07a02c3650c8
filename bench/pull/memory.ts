import { readdirSync, readFileSync, writeFileSync } from 'node:fs';

import { internal } from '../../src/base/errors.js';

/** USER_HZ, which Linux never changes. */
const TICKS_A_SECOND = 100;

/** Resident memory of a process, in bytes. */
export function memoryOf(pid: number): number {
  return statusOf(pid, 'VmRSS');
}

/**
 * The most that a process takes while something runs. The kernel notes it (proc(5), VmHWM): to add up a process's pages again and
 * again holds it up, the more the bigger it is.
 */
export async function peakMemory(pid: number, work: () => Promise<unknown>): Promise<number> {
  // Begins VmHWM anew.
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
  await work();
  return statusOf(pid, 'VmHWM');
}

/** Processor time that a process has taken, with its children that ended and those that run, in seconds. */
export function cpuSecondsOf(pid: number): number {
  return [pid, ...childrenOf(pid)].reduce((sum, each) => sum + ticksOf(each), 0) / TICKS_A_SECOND;
}

/** utime, stime, cutime and cstime of proc(5); the fields before them end with the last bracket. */
function ticksOf(pid: number): number {
  const stat = readOr(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0);
}

function statusOf(pid: number, name: string): number {
  const kilobytes = new RegExp(`^${name}:\\s*(\\d+) kB`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  if (kilobytes === undefined) throw internal(`no ${name} of process ${pid}`);
  return Number(kilobytes) * 1024;
}

function childrenOf(pid: number): number[] {
  const threads = listOr(`/proc/${pid}/task`);
  const direct = threads.flatMap((thread) =>
    readOr(`/proc/${pid}/task/${thread}/children`).split(' ').filter(Boolean).map(Number),
  );
  return direct.flatMap((child) => [child, ...childrenOf(child)]);
}

/** A process may end at any moment. */
function readOr(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function listOr(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
