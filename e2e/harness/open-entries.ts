import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * The directories below one that users other than root can pass, in the order of their names. What lies in a closed one is
 * closed with it. A group of its own, other than root's, opens a directory to that group alone: see {@link openEntries}.
 */
export async function openDirectories(dir: string): Promise<string[]> {
  const found = await Promise.all((await childrenOf(dir)).map(openBelow));
  return found.flat();
}

async function openBelow(path: string): Promise<string[]> {
  const { mode } = await lstat(path);
  if (!isDirectory(mode) || (mode & OTHERS_PASS) === 0) return [];
  return [path, ...(await openDirectories(path))];
}

/**
 * What in those directories, and in `dir` itself, others can list, read or write, or somebody else than root owns: a line
 * each. A directory that a group can pass must let its group do only that.
 */
export async function openEntries(dir: string): Promise<string[]> {
  const dirs = [dir, ...(await openDirectories(dir))];
  const children = (await Promise.all(dirs.map(childrenOf))).flat();
  const found = await Promise.all(children.map(judge));
  return found.filter((line) => line !== undefined);
}

async function judge(path: string): Promise<string | undefined> {
  const { mode, uid, gid } = await lstat(path);
  const group = isDirectory(mode) ? 0o060 : 0o070;
  const open = (mode & 0o006) !== 0 || (gid !== 0 && (mode & group) !== 0);
  return open || uid !== 0 ? `${path}: ${(mode & 0o7777).toString(8)} of ${uid}:${gid}` : undefined;
}

const OTHERS_PASS = 0o001;

function isDirectory(mode: number): boolean {
  return (mode & 0o170000) === 0o040000;
}

async function childrenOf(dir: string): Promise<string[]> {
  return (await readdir(dir)).sort().map((name) => join(dir, name));
}
