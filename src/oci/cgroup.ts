import { existsSync, readFileSync } from 'node:fs';
import { mkdir, readdir, rmdir, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';

import { readText } from '../base/files.js';
import { sleep } from '../base/abort.js';
import { delimited } from '../base/delimited.js';
import { deadlineExceeded, errnoOf, failedPrecondition, invalidArgument } from '../base/errors.js';
import { readProcess, signalProcess, type ProcessRow } from '../base/sys/process.js';

export type CgroupDriver = 'cgroupfs' | 'systemd';

export const CGROUP_MOUNT = '/sys/fs/cgroup';

/** True where /sys/fs/cgroup is cgroup v2 alone; a hybrid host counts as v1, since the controllers are there. */
export function isCgroupV2(): boolean {
  return existsSync(`${CGROUP_MOUNT}/cgroup.controllers`);
}

/**
 * The `cgroupsPath` of a container below its pod's parent: a path for cgroupfs, `slice:prefix:name` for systemd.
 * @throws invalid-argument where the parent does not fit the driver, which means that kubelet's driver is another.
 */
export function cgroupsPath(driver: CgroupDriver, parent: string, id: string): string {
  if (parent.split('/').includes('..')) throw invalidArgument(`cgroup_parent "${parent}" has ".."`);
  if (driver === 'cgroupfs') return join('/', parent, id);
  const slice = basename(parent);
  if (!/^[^:]+\.slice$/.test(slice))
    throw invalidArgument(`cgroup_parent "${parent}" is no slice, but the cgroup driver is systemd`);
  return delimited(':', [slice, 'gantry', id], 'cgroupsPath');
}

/** The cgroup file systems of this host: one on v2, one a hierarchy on v1. */
export function hierarchies(): string[] {
  if (isCgroupV2()) return [CGROUP_MOUNT];
  const mounts = readFileSync('/proc/self/mounts', 'utf8').split('\n');
  return mounts.flatMap((line) => {
    const [, target = '', type] = line.split(' ');
    return type === 'cgroup' || type === 'cgroup2' ? [target] : [];
  });
}

/** A cgroup of the daemon's own, in every hierarchy, for processes that must live apart from it. */
export class OwnCgroup {
  readonly #dirs: readonly string[];

  private constructor(dirs: readonly string[]) {
    this.#dirs = dirs;
  }

  static async make(path: string): Promise<OwnCgroup> {
    const dirs = hierarchies().map((mount) => join(mount, path));
    await Promise.all(dirs.map(makeCgroup));
    return new OwnCgroup(dirs);
  }

  /** Moves a process in, with its threads; one that has ended is fine. */
  async add(pid: number): Promise<void> {
    await Promise.all(this.#dirs.map((dir) => writeFile(join(dir, 'cgroup.procs'), String(pid)).catch(ignoreGone)));
  }
}

/** Makes the directory and, on v1, gives a new cpuset the parent's processors: an empty one takes no process. */
async function makeCgroup(dir: string): Promise<void> {
  // eslint-disable-next-line no-restricted-syntax -- not on a disk: the kernel's own file system has modes of its own
  await mkdir(dir, { recursive: true });
  for (const name of ['cpuset.cpus', 'cpuset.mems']) await inheritCpuset(dir, name);
}

async function inheritCpuset(dir: string, name: string): Promise<string> {
  const file = join(dir, name);
  if (isCgroupV2() || !existsSync(file)) return '';
  const own = (await readText(file)).trim();
  if (own !== '') return own;
  const inherited = await inheritCpuset(join(dir, '..'), name);
  if (inherited !== '') await writeFile(file, inherited);
  return inherited;
}

/** The directories of a process's cgroup in every hierarchy, from /proc/pid/cgroup. */
export function cgroupDirsOf(pid: number): string[] {
  const text = readFileSync(`/proc/${pid}/cgroup`, 'utf8');
  return text.split('\n').flatMap((line) => {
    const match = /^\d+:([^:]*):(.*)$/.exec(line);
    if (match === null || match[2] === '/') return [];
    const [, controllers = '', path = ''] = match;
    const name = isCgroupV2() ? '' : controllers === '' ? 'unified' : controllers.replace(/^name=/, '');
    return [join(CGROUP_MOUNT, name, path)];
  });
}

const KILL_TIMEOUT_MS = 10_000;
const LOOK_AGAIN_MS = 5;

/**
 * Kills every process of a cgroup and of those below it, by `cgroup.kill` on v2, and waits until none is left. A cgroup
 * that is gone is fine.
 * @throws deadline-exceeded for processes that hang in the kernel.
 */
export async function killCgroup(dir: string): Promise<void> {
  const end = Date.now() + KILL_TIMEOUT_MS;
  for (let killed = await killAtOnce(dir); ; killed = false) {
    const processes = await processesIn(dir);
    if (processes.length === 0) return;
    if (Date.now() > end) throw deadlineExceeded(`processes in the cgroup ${dir} do not end after SIGKILL`);
    if (!killed) for (const { process } of processes) signalProcess(process, 'SIGKILL');
    await sleep(LOOK_AGAIN_MS);
  }
}

async function killAtOnce(dir: string): Promise<boolean> {
  try {
    await writeFile(join(dir, 'cgroup.kill'), '1', { flag: 'r+' });
    return true;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENODEV') return false;
    throw error;
  }
}

/** The living of a cgroup and below; pid 0 stands for processes of a pid namespace that is not ours to see. */
export async function processesIn(dir: string): Promise<ProcessRow[]> {
  const text = await readText(join(dir, 'cgroup.procs')).catch(() => '');
  const entries = await readdir(dir, { withFileTypes: true }).catch(() => []);
  const below = await Promise.all(entries.filter((e) => e.isDirectory()).map((e) => processesIn(join(dir, e.name))));
  const own = text.split('\n').filter(Boolean).map(Number);
  return [...own.flatMap((pid) => readProcess(pid) ?? []), ...below.flat()];
}

/**
 * Removes what a runtime that failed has left of a container's cgroup: crun forgets one whose limits it could not set. One
 * with processes stays, as do scopes, which systemd drops itself.
 */
export async function removeLeftCgroup(driver: CgroupDriver, parent: string, id: string): Promise<void> {
  if (driver !== 'cgroupfs') return;
  await Promise.all(hierarchies().map((mount) => removeEmpty(join(mount, parent, id))));
}

async function removeEmpty(dir: string): Promise<void> {
  const entries = await readdir(dir, { withFileTypes: true }).catch(() => []);
  for (const entry of entries) if (entry.isDirectory()) await removeEmpty(join(dir, entry.name));
  await rmdir(dir).catch((error: unknown) => {
    if (!['ENOENT', 'EBUSY'].includes(errnoOf(error) ?? '')) throw error;
  });
}

/**
 * Removes a cgroup, and those below it, that nothing lives in; systemd may be before us. The dead leave it a moment later.
 * @throws failed-precondition if it stays
 */
export async function removeCgroup(dir: string): Promise<void> {
  const end = Date.now() + KILL_TIMEOUT_MS;
  for (;;) {
    await removeEmpty(dir);
    if (!existsSync(dir)) return;
    if (Date.now() > end) throw failedPrecondition(`the cgroup ${dir} cannot be removed: it is in use`);
    await sleep(LOOK_AGAIN_MS);
  }
}

function ignoreGone(error: unknown): void {
  if (errnoOf(error) !== 'ESRCH') throw error;
}
