import { readdir, readlink } from 'node:fs/promises';

import { killTree } from './kill-tree.js';

/**
 * Kills the processes that work in a directory, with their descendants: a child that was started there, and whose
 * parent died before it wrote down who it is, is known by nothing else.
 */
export async function killInDirectory(dir: string): Promise<void> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const there = await Promise.all(pids.map(async (pid) => ((await workingDirectory(pid)) === dir ? [pid] : [])));
  for (const pid of there.flat()) await killTree(pid);
}

/** Undefined for a process that has ended. */
async function workingDirectory(pid: number): Promise<string | undefined> {
  return readlink(`/proc/${pid}/cwd`).catch(() => undefined);
}
