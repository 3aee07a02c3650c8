import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { codeOf, deadlineExceeded, describeError, GantryError, type ErrorCode } from '../base/errors.js';
import type { FairSlots } from '../base/fair-slots.js';
import { readIfExists, removeTree } from '../base/files.js';
import { bounded, endOf, run, start, tail, type RunResult } from '../base/spawn.js';
import type { CgroupDriver } from './cgroup.js';
import { FeatureReader, type RuntimeFeatures } from './features.js';
import { refusalIn, refusesDirectory, type AskedProcess } from './refusal.js';
import type { AnnotationRules } from './spec/annotations.js';
import type { OciResources } from './spec/types.js';
import { hasState, holdsState, takeAway } from './take-away.js';

export interface RuntimeOptions {
  /** Name of the handler, for messages. */
  readonly handler: string;
  readonly path: string;
  readonly root: string;
  readonly cgroupDriver: CgroupDriver;
  /** Milliseconds for any one call. */
  readonly timeoutMs: number;
  /** Bounds the creates that run side by side; their owners are pods. */
  readonly creates: FairSlots;
  /** The annotations that the runtime gets; none where absent. */
  readonly annotations?: AnnotationRules;
}

interface FailureHints {
  /** What is known without the runtime's words. */
  readonly code?: ErrorCode | undefined;
  /** What was to be started. */
  readonly process?: AskedProcess;
}

const UNKNOWN: AskedProcess = { program: '', cwd: '/' };

/** An OCI runtime's command line (runc, crun): every call has a deadline and ends in a result or a rich error. */
export class OciRuntime {
  readonly options: RuntimeOptions;
  readonly #features: FeatureReader;

  constructor(options: RuntimeOptions) {
    this.options = options;
    this.#features = new FeatureReader(options.path);
  }

  /** See {@link FeatureReader.read}. */
  features(): Promise<RuntimeFeatures> {
    return this.#features.read();
  }

  /** Arguments before the verb. */
  get globalArgs(): readonly string[] {
    const { root, cgroupDriver } = this.options;
    return [`--root=${root}`, ...(cgroupDriver === 'systemd' ? ['--systemd-cgroup'] : [])];
  }

  /**
   * Creates a pod's own container, whose process has /dev/null for stdio: it would keep pipes of ours open. `bundle` gets the
   * runtime's log, where the reason of a failure stands.
   */
  create(id: string, bundle: string): Promise<void> {
    return this.options.creates.run(id, () => this.#create(id, bundle));
  }

  async #create(id: string, bundle: string): Promise<void> {
    const log = join(bundle, 'runtime.log');
    const args = [...this.globalArgs, '--log', log, '--log-format', 'json', 'create'];
    args.push('--bundle', bundle, '--pid-file', join(bundle, 'pid'), id);
    const { path, timeoutMs } = this.options;
    const child = start(path, args, { stdio: 'ignore', cwd: bundle });
    const exitCode = await bounded(child, endOf(child, path, 'exit'), { timeoutMs, what: this.#what('create', id) });
    if (exitCode !== 0) throw this.failure('create', id, lastLogMessage(await readIfExists(log)));
    await removeTree(log);
  }

  async start(id: string): Promise<void> {
    await this.#ok('start', id, []);
  }

  /**
   * Removes what the runtime holds of a container, killing what is left of it; one it does not know is fine. What the
   * runtime cannot remove, because its state is damaged or its program is gone or hangs, is taken away without it.
   * @throws deadline-exceeded, with both reasons, for processes that even SIGKILL does not end
   */
  async delete(id: string): Promise<void> {
    const { root } = this.options;
    // Without its state the call would be for nothing.
    if (!holdsState(root, id)) return;
    const known = hasState(root, id);
    // A pipe in its state's place would hold the runtime up until its deadline.
    const deleted = known ? this.#ok('delete', id, ['--force']) : Promise.resolve();
    const refusal = await deleted.catch((error: unknown) => describeError(error));
    if (known && !holdsState(root, id)) return;
    try {
      await takeAway(root, id);
    } catch (error) {
      throw this.failure('delete', id, `${refusal ?? 'its state stays'}; without it: ${describeError(error)}`, {
        code: codeOf(error),
      });
    }
  }

  /**
   * Changes a container's limits; only those that are given. They go by a file of `bundle`, since crun opens
   * /dev/stdin, which a child's stdin of ours, a socket, does not allow.
   */
  async update(id: string, bundle: string, resources: OciResources): Promise<void> {
    const [file, log] = [join(bundle, 'resources.json'), join(bundle, 'update.log')];
    try {
      await writeFile(file, JSON.stringify(resources), { mode: 0o600 });
      const result = await this.#call([`--log=${log}`, '--log-format=json', 'update', '--resources', file, id]);
      if (result.exitCode === 0) return;
      throw this.failure('update', id, lastLogError(await readIfExists(log)) ?? said(result));
    } finally {
      await Promise.all([file, log].map((path) => removeTree(path)));
    }
  }

  async #ok(verb: string, id: string, args: readonly string[]): Promise<void> {
    const result = await this.#call([verb, ...args, id]);
    if (result.exitCode !== 0) throw this.failure(verb, id, said(result));
  }

  async #call(args: readonly string[]): Promise<RunResult> {
    const { path, timeoutMs, handler } = this.options;
    const result = await run(path, [...this.globalArgs, ...args], { timeoutMs });
    if (result.exitCode === 128 + 9)
      throw deadlineExceeded(`runtime handler "${handler}": ${args.join(' ')} was killed`);
    return result;
  }

  /**
   * The error of a failed call: handler, verb, id and what the runtime said, which may tell whose fault it is: `unstartable`
   * says that the container's first process cannot be what it was asked to be.
   */
  failure(
    verb: string,
    id: string,
    reason: string,
    { code = 'internal', process = UNKNOWN }: FailureHints = {},
  ): GantryError {
    const said = withoutTrace(reason);
    const refusal = refusalIn(said, process.program) ?? said;
    return new GantryError(
      code === 'internal' ? codeOfReason(said, process) : code,
      `${this.#what(verb, id)}: ${said.includes(refusal) ? said : refusal}`,
    );
  }

  #what(verb: string, id: string): string {
    return `runtime handler "${this.options.handler}": ${verb} "${id}"`;
  }
}

/**
 * What runc and crun say when the container cannot be what was asked for: the kernel does not take a sysctl, a limit, an id, or a
 * mount or device at a place.
 */
const ASKED_FOR = [
  /\/proc\/sys\/\S+: (invalid argument|no such file|numerical result|value too large|is a directory|operation not permitted|permission denied)/i,
  /\b(cpu|cpuset|memory|pids|hugetlb|blkio|io)\.[\w.]+[`'"]?: (invalid argument|numerical result out of range|value too large)/i,
  // On v1 all processors of a cpuset must be the parent's.
  /\bcpuset\.(cpus|mems)[`'"]?: (permission denied|no space left)/i,
  /\ballowed cpu-shares is\b/,
  /cannot be mounted because it is (inside|not of type)/,
  /\berror mounting "\/.*: invalid argument/s,
  /\berror creating device nodes: .*: (no such file|not a directory|is a directory|file exists|operation not permitted)/is,
  /\buids and gids must be in range\b|\bsetgroups: invalid argument/i,
  /\/sys\/fs\/cgroup\/.*: not a directory/i,
  /: file name too long/i,
] as const;

/**
 * What they say when the image, or what the request mounts, is in each other's way: a mount over a file for a directory,
 * links in a ring, a place to be made on a read-only mount, devices that a mount over /dev hides.
 */
const IN_THE_WAY = [
  /: (not a directory|is a directory|too many levels of symbolic links)/i,
  /\bare you trying to mount a directory onto a file\b/i,
  /\berror mounting "\/.*: (read-only file system|no such file or directory|file exists)/is,
  /\b(setting up ptmx|reopening \/dev\/null|setup user: stat \/dev\/null)\b/,
] as const;

/** What a runtime says that was built without what the container needs. */
const NOT_BUILT_IN = [/seccomp (is )?not (supported|enabled)|seccomp support not/i] as const;

/** What they say of a new memory limit below what the container takes already. */
const TAKEN = [
  /unable to set memory limit to \d+ \(current usage/i,
  /\bmemory\.\S+: device or resource busy/i,
] as const;

/** What they say of a container that has ended meanwhile, also while they looked at it, or was paused by somebody. */
const IN_ANOTHER_STATE = [
  /\b(stopped|paused|already running) container\b|\bis (not running|paused)\b|\bprocess is already dead\b/i,
  /\bcontainer (does not exist|(that )?has stopped|not running)\b|\bexec\.fifo\b.*no such file/i,
] as const;

function codeOfReason(reason: string, { program, cwd }: AskedProcess): ErrorCode {
  if (refusesDirectory(reason, cwd) || refusalIn(reason, program) !== undefined) return 'unstartable';
  if (ASKED_FOR.some((pattern) => pattern.test(reason))) return 'invalid-argument';
  if (IN_THE_WAY.some((pattern) => pattern.test(reason))) return 'unstartable';
  return [...IN_ANOTHER_STATE, ...NOT_BUILT_IN, ...TAKEN].some((pattern) => pattern.test(reason))
    ? 'failed-precondition'
    : 'internal';
}

function said({ stderr, stdout }: RunResult): string {
  const text = stderr.toString().trim() || stdout.toString().trim() || 'no message';
  return tail(logged(text) ?? text);
}

/** runc without a log of its own writes `time="…" level=error msg="…"`. */
function logged(text: string): string | undefined {
  const quoted = /\blevel=(?:error|fatal) msg=("(?:[^"\\]|\\.)*")\s*$/.exec(text)?.[1];
  try {
    return quoted === undefined ? undefined : (JSON.parse(quoted) as string);
  } catch {
    return undefined;
  }
}

/** A Go program that breaks down says why in the first line, and then where, which is nothing for clients. */
function withoutTrace(text: string): string {
  return text.replace(/^(.*\b(?:panic|fatal error): .*)\n[^]*$/m, '$1');
}

/** The last message of a runtime's JSON log, an error's if there is one: a line an entry, with `level` and `msg`. */
export function lastLogMessage(log: string | undefined): string {
  return lastLogError(log) ?? messageOf(linesOf(log).at(-1) ?? '');
}

/** The same of errors alone. */
export function lastLogError(log: string | undefined): string | undefined {
  const line = linesOf(log).findLast((text) => /"level":\s*"(error|fatal)"/.test(text));
  return line === undefined ? undefined : messageOf(line);
}

function linesOf(log: string | undefined): string[] {
  return (log ?? '').trim().split('\n');
}

function messageOf(line: string): string {
  try {
    const { msg } = JSON.parse(line) as { msg?: unknown };
    return typeof msg === 'string' ? tail(msg) : tail(line);
  } catch {
    return tail(line) || 'no message';
  }
}
