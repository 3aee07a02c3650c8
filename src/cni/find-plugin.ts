import { access, constants, stat } from 'node:fs/promises';
import { join } from 'node:path';

import type { NetworkConfig } from './network-config.js';

/** The path of a plugin: the first executable file of that name in the directories, as CNI_PATH is searched. */
export async function findPlugin(type: string, binDirs: readonly string[]): Promise<string | undefined> {
  for (const directory of binDirs) {
    const path = join(directory, type);
    if (await isExecutable(path)) return path;
  }
  return undefined;
}

/** The plugins of a network that are in none of the directories. */
export async function missingPlugins(network: NetworkConfig, binDirs: readonly string[]): Promise<string[]> {
  const missing: string[] = [];
  for (const { type } of network.plugins) {
    if ((await findPlugin(type, binDirs)) === undefined) missing.push(type);
  }
  return missing;
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}
