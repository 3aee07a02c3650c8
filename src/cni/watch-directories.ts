import { watch, type FSWatcher } from 'node:fs';
import { basename, dirname } from 'node:path';

import { errnoOf } from '../base/errors.js';

export interface WatchOptions {
  /** A directory whose content matters; it may not exist yet, be re-made or be renamed. */
  readonly confDir: string;
  /** Directories where only new and removed names matter. */
  readonly others: readonly string[];
  /** Also asked for at this interval, for file systems and moments that give no events. */
  readonly pollMs: number;
  readonly onChange: () => void;
  /** Told once when watching is impossible (no inotify instances left): only the poll remains. */
  readonly onBlind: (error: unknown) => void;
}

/** Events come in bursts, and a file is created before it is written. */
const SETTLE_MS = 50;

/** Calls back after changes in directories. One inotify instance is shared by the whole process (libuv). */
export class DirectoryWatch {
  readonly #options: WatchOptions;
  readonly #poll: NodeJS.Timeout;
  #watchers: FSWatcher[] = [];
  #settle: NodeJS.Timeout | undefined;
  #blind = false;
  #closed = false;

  constructor(options: WatchOptions) {
    this.#options = options;
    this.#arm();
    this.#poll = setInterval(() => this.#fire(), options.pollMs);
    this.#poll.unref();
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#poll);
    clearTimeout(this.#settle);
    this.#disarm(this.#watchers);
  }

  /**
   * Watches are made anew before each callback: a watch follows the inode, and the path may lead to another one by
   * now. New ones come before the old ones go, and before the callback reads, so no change is lost.
   */
  #arm(): void {
    const old = this.#watchers;
    this.#watchers = [];
    const { confDir, others } = this.#options;
    const name = basename(confDir);
    for (const path of [confDir, ...others]) this.#watch(path, () => this.#changed());
    // The parent tells of the directory itself; other names there do not matter.
    this.#watch(dirname(confDir), (file) => file === name && this.#changed());
    this.#disarm(old);
  }

  #watch(path: string, onEvent: (file: string | null) => void): void {
    try {
      const watcher = watch(path, { persistent: false }, (_event, file) => onEvent(file));
      watcher.on('error', () => watcher.close());
      this.#watchers.push(watcher);
    } catch (error) {
      if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR' || this.#blind) return;
      this.#blind = true;
      this.#options.onBlind(error);
    }
  }

  #changed(): void {
    if (this.#closed || this.#settle !== undefined) return;
    this.#settle = setTimeout(() => this.#fire(), SETTLE_MS);
    this.#settle.unref();
  }

  #fire(): void {
    clearTimeout(this.#settle);
    this.#settle = undefined;
    if (this.#closed) return;
    this.#arm();
    this.#options.onChange();
  }

  #disarm(watchers: readonly FSWatcher[]): void {
    for (const watcher of watchers) watcher.close();
  }
}
