import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rmdir } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';

import { delimited } from '../base/delimited.js';
import { errnoOf, failedPrecondition } from '../base/errors.js';
import type { ProcessRow } from '../base/sys/process.js';
import { CGROUP_MOUNT, isCgroupV2, killCgroup, processesIn } from './cgroup.js';

/**
 * A cgroup below a container's, for one command that is executed there. It is what tells the command's descendants from
 * the container's own processes: one that forks twice and takes a session of its own is the child of the container's
 * init, and nothing else is left to know it by.
 */
export class ExecCgroup {
  readonly #dir: string;
  /** The value of the runtime's `exec --cgroup`. */
  readonly option: string;

  private constructor(dir: string, option: string) {
    this.#dir = dir;
    this.option = option;
  }

  /** @throws failed-precondition if the container's cgroup is gone, which means that it has ended. */
  static async make(containerDir: string): Promise<ExecCgroup> {
    const name = `exec-${randomBytes(8).toString('hex')}`;
    const dir = join(containerDir, name);
    // Before others can see it: they remove what is empty and nobody's.
    inUse.add(dir);
    try {
      await mkdir(dir);
    } catch (error) {
      inUse.delete(dir);
      if (errnoOf(error) !== 'ENOENT') throw error;
      throw failedPrecondition(`the cgroup ${containerDir} is gone with its container`, error);
    }
    return new ExecCgroup(dir, isCgroupV2() ? name : delimited(':', [controllerOf(containerDir), name], '--cgroup'));
  }

  /** Of no other command's. */
  get name(): string {
    return basename(this.#dir);
  }

  processes(): Promise<ProcessRow[]> {
    return processesIn(this.#dir);
  }

  /** Kills whatever is in it and waits for the end. */
  kill(): Promise<void> {
    return killCgroup(this.#dir);
  }

  /**
   * Removes it, unless the command has left something running: then it goes after a later command, or with the
   * container's. So do those of commands before.
   */
  async remove(): Promise<void> {
    inUse.delete(this.#dir);
    const siblings = await readdir(dirname(this.#dir)).catch(() => []);
    const left = siblings.filter((name) => NAME.test(name)).map((name) => join(dirname(this.#dir), name));
    await Promise.all(left.filter((dir) => !inUse.has(dir)).map(removeIfEmpty));
  }
}

const NAME = /^exec-[0-9a-f]{16}$/;
/** Empty, perhaps, since the runtime is about to enter. */
const inUse = new Set<string>();

async function removeIfEmpty(dir: string): Promise<void> {
  await rmdir(dir).catch((error: unknown) => {
    if (errnoOf(error) !== 'ENOENT' && errnoOf(error) !== 'EBUSY') throw error;
  });
}

/** The runtime's name for a hierarchy of v1: one of its controllers, or `name=systemd` for the one without any. */
function controllerOf(dir: string): string {
  const [hierarchy = ''] = relative(CGROUP_MOUNT, dir).split('/');
  if (hierarchy === 'systemd') return 'name=systemd';
  return hierarchy === 'unified' ? '' : (hierarchy.split(',')[0] ?? '');
}
