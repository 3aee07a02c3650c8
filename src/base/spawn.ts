import { spawn, type ChildProcess, type StdioOptions } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';

import { abortable, abortReason, settlesWithin, withDeadline } from './abort.js';
import { BoundedBuffer } from './bounded-buffer.js';
import { errnoOf, GantryError, internal, invalidArgument, unavailable } from './errors.js';

export interface RunOptions {
  /** Milliseconds until the child is killed. There is no child without a deadline. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  /** The whole environment; children inherit none of the daemon's unless it is passed here. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly stdin?: string | Uint8Array;
  /** Bytes kept of each of stdout and stderr; the rest is read and dropped. */
  readonly maxOutput?: number;
}

export interface RunResult {
  /** The exit code, or 128 + the signal's number as shells have it. */
  readonly exitCode: number;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
  /** True where stdout was longer than `maxOutput`. */
  readonly truncated: boolean;
}

const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const KILL_AFTER_MS = 2_000;
const LAST_OUTPUT_MS = 200;

/** The environment of a child that needs nothing special. */
export const MINIMAL_ENV: Readonly<Record<string, string>> = {
  PATH: process.env['PATH'] ?? DEFAULT_PATH,
  LC_ALL: 'C.UTF-8',
};

/** What went wrong with a child: the command, how it ended and the last of what it wrote to stderr. */
export class ChildError extends GantryError {
  readonly result: RunResult | undefined;

  constructor(message: string, result?: RunResult, cause?: unknown) {
    super(result === undefined ? 'unavailable' : 'internal', message, cause);
    this.result = result;
  }
}

/**
 * Runs a program to its end and returns its output whatever the exit code. Its own process group is killed at the
 * deadline or abort: TERM, then KILL.
 * @throws unavailable if it cannot be started; deadline-exceeded or cancelled when cut short.
 */
export async function run(command: string, args: readonly string[], options: RunOptions): Promise<RunResult> {
  const child = start(command, args, { ...options, stdio: ['pipe', 'pipe', 'pipe'] });
  const stdout = collect(child.stdout, options.maxOutput);
  const stderr = collect(child.stderr, options.maxOutput);
  child.stdin?.on('error', () => undefined); // EPIPE: the exit code says more
  child.stdin?.end(options.stdin ?? '');
  const exitCode = await bounded(child, endOf(child, command, 'close'), {
    ...options,
    what: commandLine(command, args),
  });
  return { exitCode, stdout: stdout.bytes(), stderr: stderr.bytes(), truncated: stdout.truncated };
}

/** {@link run}, where any exit code but 0 is an error that carries the command, code and stderr. */
export async function runOk(command: string, args: readonly string[], options: RunOptions): Promise<RunResult> {
  const result = await run(command, args, options);
  if (result.exitCode === 0) return result;
  const said = result.stderr.toString().trim() || result.stdout.toString().trim();
  throw new ChildError(`${commandLine(command, args)}: exit code ${result.exitCode}: ${tail(said)}`, result);
}

export interface StartOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly stdio: StdioOptions;
}

/**
 * Starts a child in a process group of its own, with only the descriptors of `stdio`. The one place that spawns.
 * @throws invalid-argument where the arguments are none that the kernel takes: a NUL, or too many. What else goes wrong
 * is the child's `error` event, see {@link endOf}.
 */
export function start(command: string, args: readonly string[], options: StartOptions): ChildProcess {
  try {
    return spawn(command, args, {
      env: options.env ?? MINIMAL_ENV,
      stdio: options.stdio,
      detached: true,
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    });
  } catch (error) {
    const refused = errnoOf(error) === 'E2BIG' || (error as { code?: string }).code === 'ERR_INVALID_ARG_VALUE';
    throw (refused ? invalidArgument : unavailable)(`cannot start ${command}`, error);
  }
}

/**
 * The child's exit code at its `exit`, or at its `close`, when its output has ended too.
 * @throws unavailable if it cannot be started.
 */
export function endOf(child: ChildProcess, command: string, event: 'exit' | 'close'): Promise<number> {
  return new Promise((resolve, reject) => {
    child.on('error', (error) => reject(unavailable(`cannot start ${command}`, error)));
    child.on(event, (code: number | null, signal: NodeJS.Signals | null) => resolve(exitCodeOf(code, signal)));
  });
}

/**
 * Waits for `ended`, killing the child's group when the deadline or the signal comes first: then this throws, whether
 * `ended` settles or not.
 */
export function bounded<T>(
  child: ChildProcess,
  ended: Promise<T>,
  options: { readonly timeoutMs: number; readonly signal?: AbortSignal | undefined; readonly what: string },
): Promise<T> {
  const { timeoutMs, signal, what } = options;
  return withDeadline(timeoutMs, signal, async (stop) => {
    try {
      return await abortable(ended, stop);
    } catch (error) {
      if (!stop.aborted) throw error;
      await killInStages(child, ended);
      const { code, message } = abortReason(stop);
      throw new GantryError(code, `${what}: ${message}`);
    }
  });
}

/** TERM, and after a while KILL, which also takes those of the group that have outlived the child. */
async function killInStages(child: ChildProcess, ended: Promise<unknown>): Promise<void> {
  const exited = child.exitCode ?? child.signalCode ?? once(child, 'exit');
  killGroup(child, 'SIGTERM');
  await settlesWithin(Promise.race([ended, exited]), KILL_AFTER_MS);
  killGroup(child, 'SIGKILL');
  await settlesWithin(ended, LAST_OUTPUT_MS);
  // A grandchild outside the group may hold the pipes open; it is not waited for.
  for (const stream of child.stdio) stream?.destroy();
}

/** Exit code of a child as shells report it: the code, or 128 + signal. */
export function exitCodeOf(code: number | null, signal: NodeJS.Signals | null): number {
  if (code !== null) return code;
  if (signal !== null) return 128 + constants.signals[signal];
  throw internal('a child ended with neither code nor signal');
}

function killGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // ESRCH: it has ended by itself
  }
}

function collect(stream: NodeJS.ReadableStream | null, limit = 1 << 20): BoundedBuffer {
  const buffer = new BoundedBuffer(limit);
  stream?.on('data', (chunk: Buffer) => buffer.push(chunk));
  return buffer;
}

/** The command for messages: its name and the arguments, shortened. */
export function commandLine(command: string, args: readonly string[]): string {
  const line = [command, ...args].join(' ');
  return line.length > 200 ? `${line.slice(0, 200)}…` : line;
}

/** The last part of a child's message: the end says what failed. */
export function tail(text: string, length = 2_000): string {
  return text.length > length ? `…${text.slice(-length)}` : text;
}
