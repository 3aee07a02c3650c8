import type { ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { readText } from '../../base/files.js';
import { abortable, settlesWithin } from '../../base/abort.js';
import { dataLoss, failedPrecondition } from '../../base/errors.js';
import { toHostUser } from '../../base/id-mapping.js';
import { endOf, start } from '../../base/spawn.js';
import { givePipe } from '../../base/sys/give-streams.js';
import { killTree } from '../../base/sys/kill-tree.js';
import { identify, signalProcess, watchExit, type ProcessIdentity } from '../../base/sys/process.js';
import { RelayPipes } from '../../base/sys/relay-pipes.js';
import { setTerminalSizesOf, type Size } from '../../base/sys/terminal.js';
import { ExecCgroup } from '../../oci/exec-cgroup.js';
import { refusalOf, type EndedExec } from '../../oci/exec-end.js';
import type { OciProcess } from '../../oci/spec/types.js';
import type { CommandEnds } from './command-output.js';
import type { CommandStdio } from './command-pipes.js';
import type { ContainerContext } from './context.js';
import { orContainerEnded } from './ended-meanwhile.js';
import { containerPaths } from './paths.js';
import type { ContainerRecord } from './types.js';

/** How long the runtime may take to start its command, and to notice that it was killed. */
const REAP_ATTEMPTS = 20;
const REAP_MS = 50;
/** When to look for the first time whether a command runs, and how often. */
const BEGIN_MS = 5;
const BEGIN_AGAIN_MS = 20;
/** When to look for the first time whether a command has ended before its runtime. */
const FIRST_LOOK_MS = 100;
/** How often, at the least, a runtime is told that its command has ended. */
const TELL_MS = 1_000;
/** How long a runtime may outlive its command when there is no more time: it takes and tells what was written last. */
const LATE_MS = 5_000;
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
  try {
    return await withPlace(context, { record, cgroupDir: status.processes.cgroupDir }, use);
  } catch (error) {
    throw orContainerEnded(error, context, record.id);
  }
}

async function withPlace<T>(
  context: ContainerContext,
  { record, cgroupDir }: { readonly record: ContainerRecord; readonly cgroupDir: string },
  use: (place: CommandPlace, record: ContainerRecord) => Promise<T>,
): Promise<T> {
  const cgroup = await ExecCgroup.make(cgroupDir);
  const runtime = context.runtimes.of(record);
  const { bundle, process } = containerPaths(context, record);
  const below = (kind: string): string => join(bundle, `${cgroup.name}.${kind}`);
  const [file, pidFile, log] = [below('json'), below('pid'), below('log')];
  const place: CommandPlace = {
    start: async (command, { stdio, terminal = false }) => {
      const spec = await processOf(process, command, terminal);
      await writeFile(file, JSON.stringify(spec), { mode: 0o600 });
      const owner = toHostUser(spec.user, context.sandboxes.get(record.sandboxId)?.record.config.userns);
      for (const fd of stdio) if (fd !== 'ignore') givePipe(fd, owner);
      const global = [...runtime.globalArgs, `--log=${log}`, '--log-format=json'];
      const options = ['--cgroup', cgroup.option, '--process', file, '--pid-file', pidFile];
      const child = start(runtime.options.path, [...global, 'exec', ...options, record.id], { stdio: [...stdio] });
      return new Command(child, {
        ...{ runtime, containerId: record.id, program: command[0] ?? '' },
        ...{ pidFile, log, cgroup },
      });
    },
  };
  try {
    return await use(place, record);
  } finally {
    await Promise.all([file, pidFile, log].map((path) => rm(path, { force: true })));
    await cgroup.remove();
  }
}

/**
 * The container's own process, but for its command, and on a terminal of the kind that the peers say it is. Whole, since
 * without it crun executes as root; by a file, since others could read the environment in a command line.
 */
async function processOf(file: string, args: readonly string[], terminal: boolean): Promise<OciProcess> {
  const process = await readProcess(file);
  if (!terminal) return { ...process, args, terminal };
  const env = [...process.env.filter((entry) => !entry.startsWith('TERM=')), 'TERM=xterm'];
  return { ...process, args, env, terminal };
}

async function readProcess(file: string): Promise<OciProcess> {
  try {
    return JSON.parse(await readText(file)) as OciProcess;
  } catch (error) {
    throw dataLoss(`the configuration of the container's process cannot be read: ${file}`, error);
  }
}

interface CommandParts extends Omit<EndedExec, 'exitCode' | 'signal'> {
  readonly cgroup: ExecCgroup;
}

/** How a command ended. */
export interface CommandEnd {
  readonly exitCode: number;
  /** It was made to end. */
  readonly stopped: boolean;
  /** Why it could not be executed: then all that came on its outputs is the runtime's, and nobody's to see. */
  readonly refusal?: string;
}

/** A command that a runtime executes in a container. */
export class Command {
  readonly #child: ChildProcess;
  readonly #parts: CommandParts;
  readonly #cgroup: ExecCgroup;
  readonly #ended: Promise<number>;
  #begun: Promise<boolean> | undefined;

  constructor(child: ChildProcess, parts: CommandParts) {
    this.#child = child;
    this.#parts = parts;
    this.#cgroup = parts.cgroup;
    this.#ended = endOf(child, parts.runtime.options.path, 'exit');
  }

  /**
   * Settles when the command runs, or never will, which is answered by false. Until then what comes on its outputs may be
   * the runtime's own.
   */
  begun(): Promise<boolean> {
    this.#begun ??= this.#waitForBegin();
    return this.#begun;
  }

  async #waitForBegin(): Promise<boolean> {
    const { pidFile } = this.#parts;
    const ended = this.#ended.catch(() => undefined);
    for (let wait = BEGIN_MS; !existsSync(pidFile); wait = Math.min(2 * wait, BEGIN_AGAIN_MS))
      if (await settlesWithin(ended, wait)) return existsSync(pidFile);
    return true;
  }

  /**
   * Gives the command's terminal another size, which the runtime's has already: crun looks at that when it starts, and
   * again on a signal from 1.8.7 on; runc always.
   */
  resize(size: Size): void {
    const { pid, exitCode, signalCode } = this.#child;
    if (pid === undefined || exitCode !== null || signalCode !== null) return;
    this.#child.kill('SIGWINCH');
    setTerminalSizesOf(pid, size);
  }

  /**
   * Waits for the end of the command's own process and for what it wrote; what it put into the background is not waited
   * for. When `stop` fires before that end, sees to it: `kill`: with all that it started. `hang-up`: as when a terminal's
   * line is lost, so what was made to outlive that (nohup, a session of its own) does.
   * @throws what {@link refusalOf} does: a failure of the runtime's own is no exit code.
   */
  async endOrStop(stop: AbortSignal, way: 'kill' | 'hang-up', outputs: CommandEnds): Promise<CommandEnd> {
    let stopping = Promise.resolve(false);
    const onStop = (): void => {
      stopping = this.#stop(way);
    };
    stop.addEventListener('abort', onStop, { once: true });
    if (stop.aborted) onStop();
    try {
      await Promise.race([this.#ended, this.#commandEnd()]);
      void this.#tellOfEnd();
      const exitCode = (await this.begun()) ? await this.#exitCode(stop, outputs) : await this.#ended;
      if (await stopping) return { exitCode, stopped: true };
      const refusal = await refusalOf({ ...this.#parts, exitCode, signal: this.#child.signalCode });
      return { exitCode, stopped: false, ...(refusal === undefined ? {} : { refusal }) };
    } finally {
      stop.removeEventListener('abort', onStop);
      await stopping;
    }
  }

  /**
   * For after the command's end. runc tells the exit code when nobody holds the command's output any more, which may take
   * as long as anything in the background runs: so it is made to see that there is nobody to write to.
   */
  async #exitCode(stop: AbortSignal, outputs: CommandEnds): Promise<number> {
    const relayed = this.#runs ? new RelayPipes(this.#child.pid ?? 0) : undefined;
    // At the client's pace, so the end never comes once the client is gone.
    const over = await abortable(
      outputs.finish(() => relayed?.waiting() ?? 0),
      stop,
    ).catch(() => false);
    if (!over && this.#runs) {
      outputs.close();
      relayed?.interrupt();
    }
    return this.#ended;
  }

  /**
   * For after the command's end, until the runtime has noticed: runc begins to listen for it only beside the command's
   * start (its newSignalHandler), and on a busy machine that can be too late for the one signal that there is.
   */
  async #tellOfEnd(): Promise<void> {
    for (let wait = FIRST_LOOK_MS; !(await settlesWithin(this.#ended, wait)); wait = Math.min(2 * wait, TELL_MS))
      this.#child.kill('SIGCHLD');
  }

  get #runs(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Settles when the command's own process has ended, though the runtime may go on; not before the first look. */
  async #commandEnd(): Promise<void> {
    for (let wait = FIRST_LOOK_MS; !(await settlesWithin(this.#ended, wait)); wait *= 2) {
      const command = await this.#find();
      if (command === 'not-yet') continue;
      if (command !== 'ended') await endOfProcess(command, this.#ended);
      return;
    }
  }

  async #find(): Promise<ProcessIdentity | 'not-yet' | 'ended'> {
    const pid = Number(await readText(this.#parts.pidFile).catch(() => ''));
    return pid > 0 ? (identify(pid) ?? 'ended') : 'not-yet';
  }

  /** False if the command has ended by itself, and its runtime after it. */
  async #stop(way: 'kill' | 'hang-up'): Promise<boolean> {
    if ((await this.#find()) === 'ended' && (await settlesWithin(this.#ended, LATE_MS))) return false;
    await (way === 'kill' ? this.#kill() : this.#hangUp());
    return true;
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
    if (!(await settlesWithin(endOfProcess(command.process, this.#ended), HANG_UP_MS))) return this.#kill();
    // A runtime may wait for those in the background that hold its pipes.
    if (!(await settlesWithin(this.#ended, HANG_UP_MS))) await this.#killRuntime();
  }

  async #killRuntime(): Promise<void> {
    const { pid } = this.#child;
    if (pid !== undefined && this.#runs) await killTree(pid);
  }
}

/** Settles at a process's end, or that of its parent. */
async function endOfProcess(process: ProcessIdentity, parent: Promise<unknown>): Promise<void> {
  const watch = watchExit(process);
  try {
    await Promise.race([watch.ended, parent]);
  } finally {
    watch.close();
  }
}
