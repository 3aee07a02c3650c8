import { randomBytes } from 'node:crypto';
import { constants, type Stats } from 'node:fs';
import { chmod, lstat, mkdir, open, readdir, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

import { dataLoss, errnoOf, failedPrecondition } from './errors.js';
import { removeDeepTree } from './sys/sys.js';

export interface WriteOptions {
  /** Sync the file and its directory, for what must survive a power cut; otherwise only a crash is survived. */
  readonly fsync?: boolean;
  readonly mode?: number;
}

/**
 * Writes a file so that a reader, a crash and a full disk see the old content or the new, never a part: a temporary
 * file beside it is renamed over it.
 */
export async function writeFileAtomic(
  path: string,
  data: string | Uint8Array,
  options: WriteOptions = {},
): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}.tmp`);
  try {
    const file = await open(temporary, 'wx', options.mode ?? 0o600);
    try {
      await file.writeFile(data);
      if (options.fsync) await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw error;
  }
  if (options.fsync) await syncDirectory(dirname(path));
}

/** Removes what {@link writeFileAtomic} left in a directory when a crash cut it short. */
export async function removeTemporaryFiles(directory: string): Promise<void> {
  const left = (await readdir(directory)).filter((name) => name.startsWith('.') && name.endsWith('.tmp'));
  await Promise.all(left.map((name) => rm(join(directory, name), { force: true })));
}

/** Makes the names in a directory survive a power cut. */
export async function syncDirectory(path: string): Promise<void> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(path, 'r');
    await handle.sync();
  } finally {
    await handle?.close();
  }
}

/** No file that is read whole is larger. */
const MAX_WHOLE_BYTES = 64 << 20;

/**
 * The bytes of a regular file. What people, pods or damage have put in its place is never waited for: a pipe has no end, and
 * may have no beginning, and libuv has few threads to wait in; some devices have no end, either.
 * @throws data-loss naming what is no regular file, a link that leads to none, or what is too large; ENOENT as it is.
 */
export async function readRegular(path: string): Promise<Buffer> {
  return readAll(await openFile(path), { path, isFine: (found) => found.isFile() });
}

interface Reading {
  readonly path: string;
  readonly isFine: (found: Stats) => boolean;
}

async function readAll(file: FileHandle, { path, isFine }: Reading): Promise<Buffer> {
  try {
    const found = await file.stat();
    if (!isFine(found)) throw dataLoss(`${path} is no file`);
    if (found.size > MAX_WHOLE_BYTES) throw dataLoss(`${path} has more than ${MAX_WHOLE_BYTES} bytes`);
    return await file.readFile();
  } finally {
    await file.close();
  }
}

function openUnwaiting(path: string): Promise<FileHandle> {
  return open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
}

async function openFile(path: string): Promise<FileHandle> {
  try {
    return await openUnwaiting(path);
  } catch (error) {
    // A socket; a link to itself.
    const strange = errnoOf(error) === 'ENXIO' || errnoOf(error) === 'ELOOP';
    if (strange || (isMissing(error) && (await isThere(path)))) throw dataLoss(`${path} is no file`, error);
    throw error;
  }
}

/** The same as text. */
export async function readText(path: string, encoding: 'utf8' | 'latin1' = 'utf8'): Promise<string> {
  return (await readRegular(path)).toString(encoding);
}

/** {@link readText}, or undefined if there is nothing. */
export async function readIfExists(path: string): Promise<string | undefined> {
  try {
    return await readText(path);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** The number of /dev/null, which stands for "none"; a directory says itself that it cannot be read. */
const NULL_DEVICE = 0x103;
const isConfig = (found: Stats): boolean => found.isFile() || found.isDirectory() || found.rdev === NULL_DEVICE;

/**
 * The text of a file that people write, or undefined if it does not exist. What is neither a file nor /dev/null is not waited
 * for, as by {@link readRegular}.
 * @throws failed-precondition naming it if it is there and cannot be read
 */
export async function readConfigIfExists(path: string): Promise<string | undefined> {
  try {
    return (await readAll(await openUnwaiting(path), { path, isFine: isConfig })).toString('utf8');
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw failedPrecondition(`${path} cannot be read`, error);
  }
}

function isMissing(error: unknown): boolean {
  return errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR';
}

/** True for a link that leads nowhere, too. */
async function isThere(path: string): Promise<boolean> {
  return (await lstat(path).catch(() => undefined)) !== undefined;
}

/** Writes `value` as JSON with its format's version, so that a later release can tell what it reads. */
export async function writeJson(path: string, version: number, value: object, options?: WriteOptions): Promise<void> {
  await writeFileAtomic(path, `${JSON.stringify({ ...value, version })}\n`, options);
}

/**
 * Reads what {@link writeJson} wrote, without the version. The shape beyond "an object of this version" is the caller's to check.
 * @throws data-loss naming the file if it is not such JSON, or no file; ENOENT as it is.
 */
export async function readJson(path: string, version: number): Promise<Record<string, unknown>> {
  const text = await readText(path);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw dataLoss(`${path} is not JSON`, error);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw dataLoss(`${path} holds no object`);
  const { version: found, ...rest } = value as Record<string, unknown>;
  if (found !== version) throw dataLoss(`${path} has version ${JSON.stringify(found)}, not ${version}`);
  return rest;
}

/**
 * Makes a directory of ours, and the parents that it lacks, which are closed to others (0700) whatever its own mode: they
 * lead to more than to this one. An existing one stays as it is; see {@link closeDirectory}.
 */
export async function ensureDirectory(path: string, mode = 0o700): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await mkdir(path, { recursive: true, mode });
}

/**
 * Makes a directory of the host, and the parents that it lacks, which everybody may list and pass. Never for a place
 * below which files of containers lie: a container may make programs there that run as root.
 */
export async function ensurePublicDirectory(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o755 });
}

/**
 * Takes from a directory what goes beyond `mode`, as an older version left its directories open; never gives it more.
 * None there is fine.
 */
export async function closeDirectory(path: string, mode = 0o700): Promise<void> {
  try {
    const { mode: found } = await stat(path);
    if ((found & 0o777 & ~mode) !== 0) await chmod(path, found & mode);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
}

/** Removes a file or tree, however deep; nothing there is fine. Never call it on a path that may hold a mount. */
export async function removeTree(path: string): Promise<void> {
  try {
    await rm(path, { recursive: true, force: true });
  } catch (error) {
    if (errnoOf(error) !== 'ENAMETOOLONG') throw error;
    await removeDeepTree(path);
  }
}
