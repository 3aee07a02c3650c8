import { closeSync } from 'node:fs';
import { readlink, rename, rm, symlink } from 'node:fs/promises';
import { basename, join } from 'node:path';

import { errnoOf, invalidArgument } from '../base/errors.js';
import type { FreshFile } from '../base/sys/append-below.js';
import { appendBelow } from '../base/sys/sys.js';

/** Where a container's log is. */
export interface LogPlace {
  /** Of its pod, as it was asked for; what it lies in is nobody's but the node's. */
  readonly directory: string;
  /** Below that; neither a link nor anything but a regular file may be there. */
  readonly path: string;
}

/** conmon's `--log-path`, below its working directory: no path of a request, in which a colon would end it. */
export const LOG_PATH_OPTION = 'k8s-file:log';

/**
 * Names below the bundle that conmon opens: `log` when it begins; the other when it is told to reopen, which it then renames
 * to the first.
 */
export type LogName = 'log' | 'log.tmp';

/**
 * A log's file, lent to a monitor. conmon follows links and waits for fifos, and pods that collect logs can write where
 * logs are. So conmon opens a name in its bundle, where only root writes: a link to this process's descriptor of the very
 * file that was looked at. It is of use as long as it is lent; what conmon has opened it keeps.
 */
export class LentLog {
  readonly #fd: number;
  readonly #bundle: string;

  readonly #fresh: FreshFile | undefined;
  readonly #name: string;

  private constructor({ fd, fresh }: Opened, place: LogPlace, bundle: string) {
    this.#fd = fd;
    this.#fresh = fresh;
    this.#name = basename(place.path);
    this.#bundle = bundle;
  }

  /**
   * For `log.tmp` a new file, that has its name only once it is {@link settle}d: who follows the log goes on in a file of that
   * name, and what conmon still writes to the old one would be missed.
   * @throws invalid-argument naming the log where something else is in its place or on the way.
   */
  static async lend(place: LogPlace, bundle: string, name: LogName): Promise<LentLog> {
    const log = new LentLog(await openLog(place, name === 'log.tmp'), place, bundle);
    try {
      // Renamed into place: at no moment may a monitor that was told to reopen find nothing.
      await symlink(log.#target, join(bundle, `${name}.new`));
      await rename(join(bundle, `${name}.new`), join(bundle, name));
      return log;
    } catch (error) {
      await log.giveBack();
      throw error;
    }
  }

  get #target(): string {
    return `/proc/${process.pid}/fd/${this.#fd}`;
  }

  /** True when conmon, told to reopen, has opened it, which it tells by renaming it; or another was lent since. */
  async isTaken(): Promise<boolean> {
    return (await this.#targetOf('log.tmp')) !== this.#target;
  }

  /** Gives a new file its name, whatever had it: what was a link is replaced, not followed. */
  async settle(): Promise<void> {
    if (this.#fresh !== undefined) await rename(this.#freshPath(this.#fresh.name), this.#freshPath(this.#name));
  }

  #freshPath(name: string): string {
    return `/proc/self/fd/${this.#fresh?.directory ?? -1}/${name}`;
  }

  /** For when conmon has opened it, or never will: between its opening and its renaming it would end. */
  async giveBack(): Promise<void> {
    for (const name of ['log', 'log.tmp'] as const)
      if ((await this.#targetOf(name)) === this.#target) await rm(join(this.#bundle, name), { force: true });
    closeSync(this.#fd);
    if (this.#fresh === undefined) return;
    await rm(this.#freshPath(this.#fresh.name), { force: true });
    closeSync(this.#fresh.directory);
  }

  #targetOf(name: LogName): Promise<string | undefined> {
    return readlink(join(this.#bundle, name)).catch(() => undefined);
  }
}

interface Opened {
  readonly fd: number;
  readonly fresh?: FreshFile;
}

async function openLog({ directory, path }: LogPlace, fresh: boolean): Promise<Opened> {
  const what = `log path ${join(directory, path)}`;
  try {
    const opened = await appendBelow(directory, path, fresh);
    if ('fd' in opened) return opened;
    throw invalidArgument(`${what}: ${opened.obstacle}`);
  } catch (error) {
    const refused = ['ENAMETOOLONG', 'EROFS', 'EXDEV', 'ELOOP'].includes(errnoOf(error) ?? '');
    throw refused ? invalidArgument(`${what} cannot be made`, error) : error;
  }
}

/** Tells whether two descriptors or paths are one file. */
export function inodeName({ dev, ino }: { readonly dev: bigint; readonly ino: bigint }): string {
  return `${dev}:${ino}`;
}
