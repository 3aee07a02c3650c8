import { readdir, readFile, readlink } from 'node:fs/promises';

import { openFilesLimitIn } from '../../base/open-files-limit.js';

/** What the processes of a container have open. */
export interface OpenFiles {
  readonly descriptors: number;
  /** Those of them that are sockets. */
  readonly sockets: number;
  /** The soft limit of descriptors that its first process has; absent for any number. */
  readonly limit?: number;
}

/** To tell what a descriptor is takes a system call each: of more than these, sockets are not counted. */
const MOST_LINKS = 10_000;

/**
 * Counts the descriptors of processes (proc(5), /proc/pid/fd); undefined if all of them have ended.
 * @param first whose limit counts
 */
export async function openFiles(pids: readonly number[], first: number): Promise<OpenFiles | undefined> {
  const [lists, limit] = await Promise.all([Promise.all(pids.map(descriptorsOf)), softLimit(first)]);
  const found = lists.filter((list) => list !== undefined);
  if (found.length === 0) return undefined;
  const all = found.flat();
  const kinds = await Promise.all(all.slice(0, MOST_LINKS).map((path) => readlink(path).catch(() => '')));
  const sockets = kinds.filter((target) => target.startsWith('socket:')).length;
  return { descriptors: all.length, sockets, ...(limit === undefined ? {} : { limit }) };
}

async function descriptorsOf(pid: number): Promise<string[] | undefined> {
  const directory = `/proc/${pid}/fd`;
  const names = await readdir(directory).catch(() => undefined);
  return names?.map((name) => `${directory}/${name}`);
}

async function softLimit(pid: number): Promise<number | undefined> {
  const text = await readFile(`/proc/${pid}/limits`, 'utf8').catch(() => '');
  const { soft = Infinity } = openFilesLimitIn(text) ?? {};
  return soft === Infinity ? undefined : soft;
}
