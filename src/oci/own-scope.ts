import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { sleep } from '../base/abort.js';
import { describeError, errnoOf, internal } from '../base/errors.js';
import { KeyedLock } from '../base/keyed-lock.js';
import { runOk } from '../base/spawn.js';
import { hierarchies } from './cgroup.js';

const CALL_MS = 30_000;
/** systemd moves the first process in after it has answered, and takes a moment to forget a scope that ended. */
const SETTLE_MS = 10_000;
const INTERVAL_MS = 10;

/**
 * The place under systemd for processes that must live apart from the daemon: one scope in a slice of their own. The
 * scope is delegated, so processes are moved in by writing, without a message to systemd; systemd drops it with its last
 * process, and the next one makes it anew.
 */
export class OwnScope {
  readonly #slice: string;
  readonly #scope: string;
  readonly #locks = new KeyedLock();

  constructor(slice: string) {
    this.#slice = slice;
    this.#scope = slice.replace(/slice$/, 'scope');
  }

  /**
   * Moves a process in; one that has ended is fine.
   * @throws internal with what systemd says, or if it does not move the process.
   */
  add(pid: number): Promise<void> {
    return this.#locks.run(this.#scope, async () => {
      const until = Date.now() + SETTLE_MS;
      while (!(await this.#join(pid))) {
        if (await this.#start(pid, until)) return this.#arrival(pid, until);
        await sleep(INTERVAL_MS);
      }
    });
  }

  /** False where there is no scope: neither its directory nor, in the moment of its end, a place in it. */
  async #join(pid: number): Promise<boolean> {
    const results = await Promise.all(this.#dirs().map((dir) => enter(join(dir, 'cgroup.procs'), pid)));
    return results.includes(true);
  }

  #dirs(): string[] {
    return hierarchies().map((mount) => join(mount, slicePath(this.#slice), this.#scope));
  }

  /** Has systemd make the scope with the process in it; false while one that has ended is still known. */
  async #start(pid: number, until: number): Promise<boolean> {
    const args = [...START_UNIT, this.#scope, 'fail', ...scopeProperties(this.#slice, pid)];
    try {
      await runOk('busctl', args, { timeoutMs: CALL_MS });
      return true;
    } catch (error) {
      if (!existsSync(`/proc/${pid}`)) return true;
      if (/already (exists|loaded)/.test(describeError(error)) && Date.now() < until) return false;
      throw internal(`cannot make ${this.#scope} for process ${pid}`, error);
    }
  }

  /** Waits until the process is in the scope or has ended. */
  async #arrival(pid: number, until: number): Promise<void> {
    for (;;) {
      const place = await readFile(`/proc/${pid}/cgroup`, 'utf8').catch(() => undefined);
      if (place === undefined || place.includes(`/${this.#scope}\n`)) return;
      if (Date.now() > until) throw internal(`systemd did not move process ${pid} into ${this.#scope}`);
      await sleep(INTERVAL_MS);
    }
  }
}

/** The cgroup of a slice: it lies in those that its name begins with, up to each dash. See systemd.slice(5). */
export function slicePath(slice: string): string {
  const words = slice.replace(/\.slice$/, '').split('-');
  return words.map((_, index) => `/${words.slice(0, index + 1).join('-')}.slice`).join('');
}

/** True where the process is in or has ended; false where the cgroup does not exist, or not any more. */
async function enter(file: string, pid: number): Promise<boolean> {
  try {
    await writeFile(file, String(pid), { flag: 'r+' });
    return true;
  } catch (error) {
    const code = errnoOf(error);
    if (code === 'ESRCH') return true;
    if (code === 'ENOENT' || code === 'ENODEV') return false;
    throw error;
  }
}

const START_UNIT = [
  ...['--quiet', 'call', 'org.freedesktop.systemd1', '/org/freedesktop/systemd1'],
  ...['org.freedesktop.systemd1.Manager', 'StartTransientUnit', 'ssa(sv)a(sa(sv))'],
];

/** As busctl(1) writes an array of name, type and value; then one of further units, which is empty. */
function scopeProperties(slice: string, pid: number): string[] {
  const properties = [
    ['Description', 's', 'Gantry’s container monitors'],
    ['Slice', 's', slice],
    ['Delegate', 'b', 'true'],
    ['CollectMode', 's', 'inactive-or-failed'],
    // Else the monitors would be ended at shutdown before their containers, whose exit codes would be lost.
    ['DefaultDependencies', 'b', 'false'],
    ['PIDs', 'au', '1', String(pid)],
  ];
  return [String(properties.length), ...properties.flat(), '0'];
}
