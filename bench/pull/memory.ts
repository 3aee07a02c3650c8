import { readdirSync, readFileSync } from 'node:fs';

const INTERVAL_MS = 100;
/** USER_HZ, which Linux never changes. */
const TICKS_A_SECOND = 100;

/** The memory of a process and of all that it started, each page counted once among those who share it (PSS), in bytes. */
export function memoryOf(pid: number): number {
  return [pid, ...childrenOf(pid)].reduce((sum, each) => sum + pssOf(each), 0);
}

/** Notes the most that a process and its children take while something runs. */
export async function peakMemory(pid: number, work: Promise<unknown>): Promise<number> {
  let peak = memoryOf(pid);
  const timer = setInterval(() => (peak = Math.max(peak, memoryOf(pid))), INTERVAL_MS);
  try {
    await work;
  } finally {
    clearInterval(timer);
  }
  return peak;
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

function pssOf(pid: number): number {
  return Number(/^Pss:\s*(\d+) kB/m.exec(readOr(`/proc/${pid}/smaps_rollup`))?.[1] ?? 0) * 1024;
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
