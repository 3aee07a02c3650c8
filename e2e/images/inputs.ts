import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { busyboxPath } from '../../scripts/oci-layout/busybox.js';
import { PROJECT_ROOT } from '../../scripts/project-root.js';
import { PROGRAMS } from './compile.js';
import { librariesOf, SHELL } from './shell.js';

const BUILDER = join(import.meta.dirname, '..', '..', 'scripts', 'oci-layout');

/** A name for everything that decides what the images hold: our code, the programs' sources, this machine's files. */
export async function hashInputs(): Promise<string> {
  const hash = createHash('sha256');
  for (const path of await inputs()) {
    // Wherever the project is checked out.
    const name = path.startsWith(PROJECT_ROOT) ? path.slice(PROJECT_ROOT.length) : path;
    hash.update(`${name}\0`).update(await readFile(path));
  }
  return hash.update(process.arch).digest('hex').slice(0, 16);
}

async function inputs(): Promise<string[]> {
  const ours = await Promise.all([
    filesIn(import.meta.dirname, '.js'),
    filesIn(BUILDER, '.js'),
    filesIn(PROGRAMS, '.c'),
  ]);
  return [...ours.flat(), await busyboxPath(), SHELL, ...(await librariesOf(SHELL))];
}

async function filesIn(dir: string, ending: string): Promise<string[]> {
  const names = (await readdir(dir)).filter((name) => name.endsWith(ending) && !name.endsWith(`.test${ending}`));
  return names.sort().map((name) => join(dir, name));
}
