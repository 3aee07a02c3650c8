import { readlink, stat } from 'node:fs/promises';
import { basename } from 'node:path';

import { errnoOf } from '../../base/errors.js';

/** The names of block devices (`/dev/sda`) by `major:minor`; one that the kernel has no name for keeps its number. */
export async function deviceNames(devices: Iterable<string>): Promise<ReadonlyMap<string, string>> {
  const pairs = [...new Set(devices)].map(async (device) => [device, await deviceName(device)] as const);
  return new Map(await Promise.all(pairs));
}

async function deviceName(device: string): Promise<string> {
  try {
    return `/dev/${basename(await readlink(`/sys/dev/block/${device}`))}`;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return device;
    throw error;
  }
}

/** The `major:minor` of the file system that a file is on; 0 is the major number of those without a device. */
export async function deviceOf(path: string): Promise<string> {
  const { dev } = await stat(path);
  return `${(dev >>> 8) & 0xfff}:${(dev & 0xff) | ((dev >>> 12) & 0xfff00)}`;
}
