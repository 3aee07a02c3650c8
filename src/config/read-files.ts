import { readdir } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';

import { readText } from '../base/files.js';
import { describeError, errnoOf } from '../base/errors.js';
import type { Problem } from './problem.js';

export const DEFAULT_FILE = '/etc/gantry/gantry.yaml';

export interface ConfigText {
  readonly file: string;
  readonly text: string;
}

export interface ConfigTexts {
  /** In the order in which they count: the later wins. */
  readonly texts: readonly ConfigText[];
  readonly problems: readonly Problem[];
}

/**
 * Reads the configuration file and, sorted by name, `conf.d/*.yaml` in its directory. A file that the user named must
 * exist; without one the default file is read if it is there.
 */
export async function readConfigFiles(file?: string): Promise<ConfigTexts> {
  const main = resolve(file ?? DEFAULT_FILE);
  const problems: Problem[] = [];
  const dropIns = await listDropIns(join(dirname(main), 'conf.d'), problems);
  const texts: ConfigText[] = [];
  for (const path of [main, ...dropIns]) {
    try {
      texts.push({ file: path, text: await readText(path) });
    } catch (error) {
      const mayMiss = path === main && file === undefined;
      if (!mayMiss || errnoOf(error) !== 'ENOENT') problems.push({ file: path, message: reason(error) });
    }
  }
  return { texts, problems };
}

async function listDropIns(directory: string, problems: Problem[]): Promise<string[]> {
  try {
    const names = await readdir(directory);
    const wanted = names.filter((name) => name.endsWith('.yaml') && !name.startsWith('.'));
    return wanted.sort().map((name) => join(directory, name));
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') problems.push({ file: directory, message: reason(error) });
    return [];
  }
}

function reason(error: unknown): string {
  return errnoOf(error) === 'ENOENT' ? 'does not exist' : `cannot be read: ${describeError(error)}`;
}
