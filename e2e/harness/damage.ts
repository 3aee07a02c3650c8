import { chmod, copyFile, mkdir, readdir, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';

import { runOk } from '../../src/base/spawn.js';
import type { Scratch } from './scratch.js';
import { patience } from './settings.js';

/** A generator of numbers from 0 up to 1 that gives the same ones for the same seed (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function pick<T>(random: () => number, list: readonly T[]): T {
  const found = list[Math.floor(random() * list.length)];
  if (found === undefined) throw new RangeError('there is nothing to pick from');
  return found;
}

/** What may happen to a file; `others` are further files of the same kind, of other objects. */
export const DAMAGES: Readonly<Record<string, (file: string, others: readonly string[]) => Promise<unknown>>> = {
  cut: async (file) => truncate(file, (await readFile(file)).length >> 1),
  emptied: (file) => truncate(file, 0),
  garbage: (file) => writeFile(file, '{"version":1,"id":\0\x7f'),
  'an empty object': (file) => writeFile(file, '{}'),
  'of another version': async (file) =>
    writeFile(file, (await readFile(file, 'utf8')).replace(/"version":\d+/, '"version":99')),
  'of another object': async (file, [other]) => (other === undefined ? truncate(file, 0) : copyFile(other, file)),
  'a directory': (file) => replace(file, (path) => mkdir(path)),
  'a link to nothing': (file) => replace(file, (path) => symlink('/no/such/file', path)),
  'a link to itself': (file) => replace(file, (path) => symlink(basename(path), path)),
  'a device': (file) => replace(file, (path) => symlink('/dev/zero', path)),
  'a pipe': (file) => replace(file, (path) => runOk('mkfifo', [path], { timeoutMs: patience(5_000) })),
  'closed to all': (file) => chmod(file, 0),
};

async function replace(file: string, make: (path: string) => Promise<unknown>): Promise<void> {
  await rm(file);
  await make(file);
}

/** Content of images and containers, which is not the daemon's state. */
const CONTENT = ['rootfs', 'upper', 'work', 'volumes', 'layers', 'partial', 'quarantine'];

/** Every file of the daemon's own below its directories, in an order that is always the same. */
export async function stateFiles({ root, state }: Scratch): Promise<string[]> {
  return [...(await filesBelow(root)), ...(await filesBelow(state))].sort();
}

async function filesBelow(dir: string): Promise<string[]> {
  const entries = await readdir(dir, { withFileTypes: true });
  const found = entries.map(async (entry) => {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) return CONTENT.includes(entry.name) ? [] : filesBelow(path);
    return entry.isFile() ? [path] : [];
  });
  return (await Promise.all(found)).flat();
}

/** What kind of file it is: its path with every id and digest left out. */
export function kindOf({ dir }: Scratch, file: string): string {
  return file.slice(dir.length + 1).replace(/[0-9a-f]{64}|\d+(?=\.json)/g, '*');
}
