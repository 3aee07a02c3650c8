import { readdir, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';

import { readText } from '../base/files.js';
import { describeError, errnoOf, invalidArgument } from '../base/errors.js';
import { optionalFlag, parseObject, type JsonObject } from './json.js';
import {
  isList,
  parseName,
  parseNetworkConfig,
  parsePluginConfig,
  type NetworkConfig,
  type PluginConfig,
} from './network-config.js';

/** A network and the file that it came from. */
export interface LoadedNetwork {
  readonly file: string;
  readonly config: NetworkConfig;
}

/** A file that is left out, and why. */
export interface BrokenFile {
  readonly file: string;
  readonly error: string;
}

/** What a configuration directory holds; the first network is the default one, as the peers have it. */
export interface NetworkSet {
  readonly networks: readonly LoadedNetwork[];
  readonly broken: readonly BrokenFile[];
  /** Identifies the state of the directory that was read, see {@link directoryStamp}. */
  readonly stamp: string;
}

const EXTENSIONS = ['.conflist', '.conf', '.json'];
const MAX_FILE = 1 << 20;

/** Reads every configuration of a directory in the order of their names. Broken ones do not hinder the others. */
export async function loadNetworks(confDir: string): Promise<NetworkSet> {
  const networks: LoadedNetwork[] = [];
  const broken: BrokenFile[] = [];
  const stamp = await directoryStamp(confDir);
  const files = await listFiles(confDir, EXTENSIONS).catch((error: unknown) => {
    broken.push({ file: confDir, error: describeError(error) });
    return [];
  });
  for (const file of files) {
    try {
      networks.push({ file, config: await loadFile(confDir, file) });
    } catch (error) {
      broken.push({ file, error: describeError(error) });
    }
  }
  return { networks, broken, stamp };
}

/** Changes whenever a name in the directory does, or the directory itself; empty where there is none. */
export async function directoryStamp(path: string): Promise<string> {
  try {
    const { dev, ino, mtimeNs } = await stat(path, { bigint: true });
    return `${dev}:${ino}:${mtimeNs}`;
  } catch {
    return '';
  }
}

async function loadFile(confDir: string, file: string): Promise<NetworkConfig> {
  const value = await readObject(join(confDir, file));
  if (!isList(value)) return parseNetworkConfig(value);
  return parseNetworkConfig(value, await pluginsOfFolder(confDir, value));
}

/** Plugins dropped into the folder named as the network, unless `loadOnlyInlinedPlugins` forbids it. */
async function pluginsOfFolder(confDir: string, value: JsonObject): Promise<PluginConfig[]> {
  if (optionalFlag(value['loadOnlyInlinedPlugins'], 'loadOnlyInlinedPlugins')) return [];
  const folder = join(confDir, parseName(value['name']));
  const plugins: PluginConfig[] = [];
  for (const file of await listFiles(folder, ['.conf'])) {
    plugins.push(parsePluginConfig(await readObject(join(folder, file))));
  }
  return plugins;
}

async function listFiles(directory: string, extensions: readonly string[]): Promise<string[]> {
  try {
    const names = await readdir(directory);
    return names.filter((name) => extensions.includes(extname(name))).sort();
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || (errnoOf(error) === 'ENOTDIR' && extensions.length === 1)) return [];
    throw error;
  }
}

/** Reads a file after looking what it is: opening a fifo would hold one of the few threads for file I/O. */
async function readObject(path: string): Promise<JsonObject> {
  const found = await stat(path);
  if (!found.isFile()) throw invalidArgument(`${path} is not a file`);
  if (found.size > MAX_FILE) throw invalidArgument(`${path} is larger than 1 MiB`);
  return parseObject(await readText(path), path);
}
