import { settlesWithin, sleep } from '../../base/abort.js';
import { compareTimes, nowNs } from '../../base/clock.js';
import { describeError, hasCode } from '../../base/errors.js';
import type { KeyedLock } from '../../base/keyed-lock.js';
import type { Logger } from '../../base/log.js';
import { outsideRequests } from '../../base/request-scope.js';
import { holdExitCode, type ExitCode } from '../../base/sys/exit-code.js';
import { watchExit } from '../../base/sys/process.js';
import { killCgroup } from '../../oci/cgroup.js';
import { readExit, type MonitoredExit } from '../../oci/monitor.js';
import { oomKillsIn, sliceOf } from '../../oci/oom-kills.js';
import type { Runtimes } from '../../oci/runtimes.js';
import { containerPaths } from './paths.js';
import { lastsBeyond, moveContainer } from './state.js';
import type { ContainerStore } from './store.js';
import type { ContainerProcesses, ContainerRecord, ContainerStatus, ExitedStatus } from './types.js';

export interface ExitWatcherOptions {
  readonly store: ContainerStore;
  readonly runtimes: Runtimes;
  readonly locks: KeyedLock;
  readonly stateDir: string;
  readonly logger: Logger;
}

/** How long conmon may take from init's end to its exit file: it drains the output first. */
const MONITOR_GRACE_MS = 10_000;

/**
 * Sees containers end, by the pidfds of init and conmon, and records how. Watching init itself as well tells of the
 * end of a container whose monitor was killed.
 */
export class ExitWatcher {
  readonly #options: ExitWatcherOptions;
  readonly #ends = new Map<string, Promise<void>>();
  readonly #killed = new Set<string>();
  readonly #starts = new Map<string, Promise<unknown>>();

  constructor(options: ExitWatcherOptions) {
    this.#options = options;
  }

  /** Watches a created container; a dead one is recorded at once. */
  watch(record: ContainerRecord, processes: ContainerProcesses): void {
    outsideRequests(() => {
      const end = this.#follow(record, processes).finally(() => {
        this.#ends.delete(record.id);
        this.#killed.delete(record.id);
      });
      this.#ends.set(record.id, end);
      void end.then(() => this.#release(record));
    });
  }

  /** Settles when the container's end is on record; at once for one that is not watched. */
  ended(id: string): Promise<void> {
    return this.#ends.get(id) ?? Promise.resolve();
  }

  /** A container is about to be killed by us, so that its end by SIGKILL is not the kernel's doing. */
  expectKill(id: string): void {
    if (this.#ends.has(id)) this.#killed.add(id);
  }

  /** Runs a container's start. An end that is seen meanwhile is recorded after it: nobody is to hear of the end first. */
  async starting<T>(id: string, start: () => Promise<T>): Promise<T> {
    const work = start();
    const settled = work.catch(() => undefined);
    this.#starts.set(id, settled);
    try {
      return await work;
    } finally {
      this.#starts.delete(id);
    }
  }

  async #follow(record: ContainerRecord, processes: ContainerProcesses): Promise<void> {
    const { logger } = this.#options;
    const held = holdExitCode(processes.init);
    try {
      await watchExit(processes.init).ended;
      await this.#killRest(record, processes);
      await this.#monitorEnded(processes);
      await this.#publish(record, processes, (await this.#readExit(record)) ?? (await exitOf(held)));
    } catch (error) {
      if (hasCode(error, 'not-found')) return;
      logger.error({ container: record.id, error: describeError(error) }, 'cannot record the end of a container');
    } finally {
      held?.close();
    }
  }

  /** What is left of it in a shared pid namespace; its end is recorded though some of it should not die. */
  async #killRest(record: ContainerRecord, { cgroupDir }: ContainerProcesses): Promise<void> {
    if (record.config.security.pid === 'container') return;
    try {
      await killCgroup(cgroupDir);
    } catch (error) {
      const fields = { container: record.id, error: describeError(error) };
      this.#options.logger.warn(fields, 'processes of a container that ended are left');
    }
  }

  /** Has the runtime give back the cgroup, when no start or removal is under way. */
  async #release(record: ContainerRecord): Promise<void> {
    const { id } = record;
    const { locks, store, runtimes, logger } = this.#options;
    try {
      await locks.run(id, async () => {
        if (store.get(id) !== undefined) await runtimes.of(record).delete(id);
      });
    } catch (error) {
      logger.warn({ container: id, error: describeError(error) }, 'the runtime keeps a container that ended');
    }
  }

  async #monitorEnded({ monitor }: ContainerProcesses): Promise<void> {
    const watch = watchExit(monitor);
    try {
      // The exit file of a monitor that hangs may be there all the same.
      await settlesWithin(watch.ended, MONITOR_GRACE_MS);
    } finally {
      watch.close();
    }
  }

  /** Whatever stands in the place of the exit file, the container has ended. */
  async #readExit(record: ContainerRecord): Promise<MonitoredExit | undefined> {
    const { store, logger } = this.#options;
    const { id } = record;
    const { bundle } = containerPaths(this.#options, record);
    try {
      return await readExit({ bundle, persistDir: store.dirOf(id), id });
    } catch (error) {
      logger.error({ container: id, error: describeError(error) }, 'the exit code of a container cannot be read');
      return undefined;
    }
  }

  async #publish(
    record: ContainerRecord,
    processes: ContainerProcesses,
    exit: MonitoredExit | undefined,
  ): Promise<void> {
    const { store, logger } = this.#options;
    const oomKilled = !this.#killed.has(record.id) && (await isOomKill(exit, processes));
    const finishedAt = exit?.at ?? nowNs();
    const end = (now: ContainerStatus): ContainerStatus => {
      if (now.state !== 'created' && now.state !== 'running') return now;
      // A file's time comes from a coarser clock than ours.
      const notBefore = now.state === 'running' ? now.startedAt : record.createdAt;
      const how = exitedStatus(exit && { ...exit, oomKilled }, later(finishedAt, notBefore));
      return moveContainer(now, { ...how, ...lastsBeyond(now) });
    };
    await this.#starts.get(record.id);
    const { status } = await store.update(record.id, end, { evenIfFull: true });
    logger.info(
      { container: record.id, exitCode: exit?.exitCode ?? UNKNOWN_EXIT, state: status.state },
      'container exited',
    );
  }
}

/**
 * Whether the kernel killed init for want of memory: conmon says so, or a counter does. systemd drops a scope the moment
 * that it is empty, often before conmon can look; the slice, which has this pod's containers, has counted it, too.
 */
async function isOomKill(exit: MonitoredExit | undefined, processes: ContainerProcesses): Promise<boolean> {
  // By SIGKILL; an OOM of another process of the container leaves init's code as it is.
  if (exit?.exitCode !== KILLED) return false;
  if (exit.oomKilled) return true;
  const { cgroupDir, sliceOomKills } = processes;
  const own = await oomKillsIn(cgroupDir);
  if (own !== undefined) return own > 0;
  const slice = sliceOf(cgroupDir);
  if (slice === undefined || sliceOomKills === undefined) return false;
  return ((await oomKillsIn(slice)) ?? 0) > sliceOomKills;
}

/** How often, and how long apart, init's parent is given time to wait for it. */
const REAP_ATTEMPTS = 100;
const REAP_MS = 50;

/**
 * What the kernel tells of init's end, for a monitor that was killed, or had no room on disk to say it: undefined where
 * nobody held init while it lived, and before Linux 6.15.
 */
async function exitOf(held: ExitCode | undefined): Promise<MonitoredExit | undefined> {
  for (let left = held === undefined ? 0 : REAP_ATTEMPTS; left > 0; left--) {
    const exitCode = held?.read();
    if (exitCode === undefined) return undefined;
    if (exitCode !== 'not-yet') return { exitCode, oomKilled: false, at: nowNs() };
    await sleep(REAP_MS);
  }
  return undefined;
}

const KILLED = 128 + 9;

/** Of two times in nanoseconds. */
function later(a: string, b: string): string {
  return compareTimes(a, b) > 0 ? a : b;
}

/** What CRI users know as "nobody can tell". */
const UNKNOWN_EXIT = 255;

function exitedStatus(exit: MonitoredExit | undefined, finishedAt: string): ExitedStatus {
  const base = { state: 'exited', finishedAt, message: '' } as const;
  if (exit === undefined) {
    return { ...base, exitCode: UNKNOWN_EXIT, reason: 'Unknown', message: 'the monitor left no exit code' };
  }
  const { exitCode, oomKilled } = exit;
  const reason = oomKilled ? 'OOMKilled' : exitCode === 0 ? 'Completed' : 'Error';
  return { ...base, exitCode, reason };
}
