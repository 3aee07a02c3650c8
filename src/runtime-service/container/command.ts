import type { ChildProcess } from 'node:child_process';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { settlesWithin } from '../../base/abort.js';
import { failedPrecondition } from '../../base/errors.js';
import { endOf, start } from '../../base/spawn.js';
import { killTree } from '../../base/sys/kill-tree.js';
import { signalProcess, watchExit, type ProcessRow } from '../../base/sys/process.js';
import { ExecCgroup } from '../../oci/exec-cgroup.js';
import type { OciProcess, OciSpec } from '../../oci/spec/types.js';
import type { CommandStdio } from './command-pipes.js';
import type { ContainerContext } from './context.js';
import { containerPaths } from './paths.js';
import type { ContainerRecord } from './types.js';

/** How long the runtime may take to start its command, and to notice that it was killed. */
const REAP_ATTEMPTS = 20;
const REAP_MS = 50;
/** How long a command may take to end after its terminal has hung up. */
const HANG_UP_MS = 1_000;

interface StartOptions {
  readonly stdio: CommandStdio;
  /** `stdio` is a terminal. */
  readonly terminal?: boolean;
}

/** A place in a running container for one command. */
export interface CommandPlace {
  /** Has the runtime execute it (`exec`). The descriptors of `stdio` stay the caller's to close. */
  start(command: readonly string[], options: StartOptions): Promise<Command>;
}

/**
 * Makes the place, and gives it back after `use`, with nothing of the command left but what it put into the background.
 * @throws not-found; failed-precondition if the container does not run.
 */
export async function inContainer<T>(
  context: ContainerContext,
  containerId: string,
  use: (place: CommandPlace, record: ContainerRecord) => Promise<T>,
): Promise<T> {
  const { record, status } = context.store.find(containerId);
  if (status.state !== 'running')
    throw failedPrecondition(`container "${record.id}" does not run: it is ${status.state}`);
  const cgroup = await ExecCgroup.make(status.processes.cgroupDir);
  const { globalArgs, options: runtime } = context.runtimes.get(record.handler);
  const { bundle } = containerPaths(context.stateDir, record.id);
  const file = join(bundle, `${cgroup.name}.json`);
  const place: CommandPlace = {
    start: async (command, { stdio, terminal = false }) => {
      await writeFile(file, JSON.stringify(await processOf(bundle, command, terminal)), { mode: 0o600 });
      const args = [...globalArgs, 'exec', '--cgroup', cgroup.option, '--process', file, record.id];
      return new Command(start(runtime.path, args, { stdio: [...stdio] }), runtime.path, cgroup);
    },
  };
  try {
    return await use(place, record);
  } finally {
    await rm(file, { force: true });
    await cgroup.remove();
  }
}

/**
 * The container's own process, but for its command, and on a terminal of the kind that the peers say it is. Whole, since
 * without it crun executes as root; by a file, since others could read the environment in a command line.
 */
async function processOf(bundle: string, args: readonly string[], terminal: boolean): Promise<OciProcess> {
  const { process } = JSON.parse(await readFile(join(bundle, 'config.json'), 'utf8')) as Pick<OciSpec, 'process'>;
  if (!terminal) return { ...process, args, terminal };
  const env = [...process.env.filter((entry) => !entry.startsWith('TERM=')), 'TERM=xterm'];
  return { ...process, args, env, terminal };
}

/** A command that a runtime executes in a container. */
export class Command {
  readonly #child: ChildProcess;
  readonly #cgroup: ExecCgroup;
  readonly #ended: Promise<number>;

  constructor(child: ChildProcess, path: string, cgroup: ExecCgroup) {
    this.#child = child;
    this.#cgroup = cgroup;
    this.#ended = endOf(child, path, 'exit');
  }

  /** Tells the runtime that its terminal has another size. */
  resized(): void {
    this.#child.kill('SIGWINCH');
  }

  /**
   * Waits for the command's end, and sees to it when `stop` fires. `kill`: with all that it started. `hang-up`: as when a
   * terminal's line is lost, so what was made to outlive that (nohup, a session of its own) does.
   */
  async endOrStop(stop: AbortSignal, way: 'kill' | 'hang-up'): Promise<{ exitCode: number; stopped: boolean }> {
    let stopping: Promise<void> | undefined;
    const onStop = (): void => {
      stopping = way === 'kill' ? this.#kill() : this.#hangUp();
    };
    stop.addEventListener('abort', onStop, { once: true });
    if (stop.aborted) onStop();
    try {
      return { exitCode: await this.#ended, stopped: stopping !== undefined };
    } finally {
      stop.removeEventListener('abort', onStop);
      await stopping;
    }
  }

  /**
   * The command first, as soon as it is there: the runtime is its parent, and without one to wait for it, it would stay
   * in the container as a zombie. A runtime that does not end by that goes too, and what it has put into the cgroup.
   */
  async #kill(): Promise<void> {
    let over = false;
    for (let left = REAP_ATTEMPTS; left > 0 && !over; left--) {
      await this.#cgroup.kill();
      over = await settlesWithin(this.#ended, REAP_MS);
    }
    await this.#killRuntime();
    await this.#cgroup.kill();
  }

  async #hangUp(): Promise<void> {
    const rows = await this.#cgroup.processes();
    const command = rows.find(({ parent }) => parent === this.#child.pid);
    if (command === undefined) return this.#kill();
    for (const { process, session } of rows) if (session === command.session) signalProcess(process, 'SIGHUP');
    if (!(await goneWithin(command, HANG_UP_MS))) return this.#kill();
    // A runtime may wait for those in the background that hold its pipes.
    if (!(await settlesWithin(this.#ended, HANG_UP_MS))) await this.#killRuntime();
  }

  async #killRuntime(): Promise<void> {
    const { pid, exitCode, signalCode } = this.#child;
    if (pid !== undefined && exitCode === null && signalCode === null) await killTree(pid);
  }
}

async function goneWithin({ process }: ProcessRow, ms: number): Promise<boolean> {
  const watch = watchExit(process);
  try {
    return await settlesWithin(watch.ended, ms);
  } finally {
    watch.close();
  }
}
