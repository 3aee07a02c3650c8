import { lstat, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';

import { errnoOf } from '../../../src/base/errors.js';
import { changes } from './changes.js';

/** What is at a path: its type and device, mode and owner, or where a link leads. */
export type Devices = ReadonlyMap<string, string>;

/**
 * What is in a directory of devices and its own file system. Others that are mounted below, like those of terminals and of
 * shared memory, change with whoever works on the machine.
 */
export async function readDevices(dir = '/dev'): Promise<Devices> {
  const found = new Map<string, string>();
  await collect(dir, found, (await lstat(dir)).dev);
  return found;
}

async function collect(dir: string, found: Map<string, string>, fileSystem: number): Promise<void> {
  const names = await readdir(dir).catch(gone);
  await Promise.all((names ?? []).map((name) => collectOne(join(dir, name), found, fileSystem)));
}

async function collectOne(path: string, found: Map<string, string>, fileSystem: number): Promise<void> {
  const stats = await lstat(path).catch(gone);
  if (stats === undefined || stats.dev !== fileSystem) return;
  const { mode, uid, gid, rdev } = stats;
  const link = stats.isSymbolicLink() ? ` to ${(await readlink(path).catch(gone)) ?? ''}` : '';
  found.set(path, `${mode.toString(8)} of ${uid}:${gid}${stats.isDirectory() ? '' : ` ${rdev}`}${link}`);
  if (stats.isDirectory()) await collect(path, found, fileSystem);
}

/** Whoever mounts an image of a file system gets one, and the kernel keeps it. */
const LOOP_DEVICE = /^\/dev\/loop\d+$/;

/** What a suite changed, by a look at all before and after. */
export function leakedDevices(before: Devices, after: Devices): string[] {
  return changes(before, after)
    .filter(({ name, was }) => was !== undefined || !LOOP_DEVICE.test(name))
    .map(({ name, was, is }) => `device ${name}: ${was ?? 'nothing'}, now ${is ?? 'nothing'}`);
}

function gone(error: unknown): undefined {
  if (!['ENOENT', 'ENOTDIR'].includes(errnoOf(error) ?? '')) throw error;
  return undefined;
}
