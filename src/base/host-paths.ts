import { deadlineExceeded, hasCode, internal, invalidArgument, type GantryError } from './errors.js';
import { commandLine, run, tail, type RunResult } from './spawn.js';
import { cachedStatOf, cachedTypeOf, type PathType } from './sys/cached-type.js';

/**
 * What can only be learned by touching a path of a request, which may lie on a file system that does not answer. A child
 * touches it, which can be killed: neither the main thread nor libuv's few threads may hang with it. What the kernel
 * knows by heart needs no child.
 */

export interface ProbeOptions {
  /** Names the paths in errors. */
  readonly what: string;
  readonly timeoutMs?: number;
}

const TIMEOUT_MS = 10_000;
/** For the second question, which of many does not answer. */
const SINGLE_MS = 2_000;

/**
 * What each path leads to; those that lead to nothing are left out.
 * @throws deadline-exceeded naming the ones that do not answer.
 */
export async function typesOfPaths(paths: readonly string[], options: ProbeOptions): Promise<Map<string, PathType>> {
  const known = new Map(paths.map((path) => [path, cachedTypeOf(path)]));
  const unknown = paths.filter((path) => known.get(path) === undefined);
  const asked = unknown.length === 0 ? new Map<string, PathType>() : await askTypes(unknown, options);
  return new Map(
    paths.flatMap((path) => {
      const type = known.get(path) ?? asked.get(path);
      return type === undefined ? [] : [[path, type] as const];
    }),
  );
}

async function askTypes(paths: readonly string[], options: ProbeOptions): Promise<Map<string, PathType>> {
  // It goes on past what is not there, and says nothing of it on stdout.
  const { stdout } = await probe(paths, options, ['stat', '-L', '--printf', '%n\\0%F\\0', '--']);
  const fields = stdout.toString().split('\0');
  return new Map(
    paths
      .filter((path) => fields.includes(path))
      .map((path) => [path, fields[fields.indexOf(path) + 1] === 'directory' ? 'directory' : 'other']),
  );
}

/** The path without links, by path. @throws invalid-argument for one that leads to nothing. */
export async function realPaths(paths: readonly string[], options: ProbeOptions): Promise<Map<string, string>> {
  if (paths.length === 0) return new Map();
  const { stdout, exitCode, stderr } = await probe(paths, options, ['realpath', '-e', '-z', '--']);
  if (exitCode !== 0)
    throw invalidArgument(`${options.what} cannot be resolved: ${tail(stderr.toString().trim(), 500)}`);
  const real = stdout.toString().split('\0');
  return new Map(paths.map((path, index) => [path, real[index] ?? path]));
}

/** Where no directory can be, whoever asks: something is in the way, or it is the kernel's own file system. */
const NO_PLACE =
  /File exists|Not a directory|No such file|not permitted|File name too long|symbolic links|Invalid argument/;

/** Makes a directory and its parents, open to all who may look. @throws invalid-argument where none can be */
export async function makeHostDirectory(path: string, options: ProbeOptions): Promise<void> {
  const { exitCode, stderr } = await probe([path], options, ['mkdir', '-p', '-m', '755', '--']);
  if (exitCode === 0) return;
  const said = stderr.toString().trim();
  const refuse = NO_PLACE.test(said) ? invalidArgument : internal;
  throw refuse(`${options.what} ${path} cannot be made: ${tail(said, 500)}`);
}

/** Something that a path leads to. */
export interface PathLook {
  readonly type: 'file' | 'directory' | 'link' | 'other';
  readonly size: number;
}

/**
 * Looks at what a path leads to, or with `follow: false` at a link itself; undefined for nothing.
 * @throws deadline-exceeded naming one that does not answer.
 */
export async function lookAtPath(
  path: string,
  { follow, ...options }: ProbeOptions & { readonly follow: boolean },
): Promise<PathLook | undefined> {
  const cached = cachedStatOf(path, { follow });
  if (cached !== undefined) return toLook(cached);
  const command = ['stat', ...(follow ? ['-L'] : []), '--printf', '%f %s', '--'];
  const { exitCode, stdout } = await probe([path], options, command);
  const [mode = '', size = ''] = stdout.toString().split(' ');
  return exitCode === 0 ? toLook({ mode: parseInt(mode, 16), size: Number(size) }) : undefined;
}

const LOOKS: Readonly<Record<number, PathLook['type']>> = { 0o100000: 'file', 0o040000: 'directory', 0o120000: 'link' };

export function toLook({ mode, size }: { readonly mode: number; readonly size: number }): PathLook {
  return { type: LOOKS[mode & 0o170000] ?? 'other', size };
}

/** What a link says. @throws invalid-argument for what is none */
export async function readHostLink(path: string, options: ProbeOptions): Promise<string> {
  const { exitCode, stdout } = await probe([path], options, ['readlink', '-n', '--']);
  if (exitCode !== 0) throw invalidArgument(`${options.what} ${path} is no link any more`);
  return stdout.toString();
}

/** The first bytes of a file, without waiting for the writer of what is a fifo by now. @throws invalid-argument */
export async function readHostFile(path: string, limit: number, options: ProbeOptions): Promise<Buffer> {
  const command = ['dd', 'status=none', 'iflag=nonblock,count_bytes,fullblock', 'bs=64K', `count=${limit}`];
  const { exitCode, stdout, stderr } = await probe([`if=${path}`], options, command);
  if (exitCode === 0) return stdout;
  throw invalidArgument(`${options.what} ${path} cannot be read: ${tail(stderr.toString().trim(), 500)}`);
}

async function probe(
  paths: readonly string[],
  { what, timeoutMs = TIMEOUT_MS }: ProbeOptions,
  [command = '', ...args]: readonly string[],
): Promise<RunResult> {
  try {
    return await run(command, [...args, ...paths], { timeoutMs, maxOutput: 16 << 20 });
  } catch (error) {
    if (!hasCode(error, 'deadline-exceeded')) throw error;
    throw await silent(paths, { what, error });
  }
}

/** Says which of the paths do not answer. */
async function silent(
  paths: readonly string[],
  { what, error }: { readonly what: string; readonly error: unknown },
): Promise<GantryError> {
  const answers = await Promise.all(paths.map((path) => answersSoon(path)));
  const quiet = paths.filter((_, index) => answers[index] === false);
  const names = commandLine(quiet.length === 0 ? 'some of' : '', quiet.length === 0 ? paths : quiet).trim();
  return deadlineExceeded(`${what} ${names} does not answer: its file system hangs`, error);
}

async function answersSoon(path: string): Promise<boolean> {
  try {
    await run('stat', ['-L', '--', path], { timeoutMs: SINGLE_MS });
    return true;
  } catch (error) {
    return !hasCode(error, 'deadline-exceeded');
  }
}
