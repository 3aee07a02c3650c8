import { invalidArgument } from '../base/errors.js';
import { isObject, objectList, optionalFlag, optionalString, stringList, type JsonObject } from './json.js';
import { CNI_VERSIONS, selectVersion, type CniVersion } from './version.js';

/** A plugin's configuration object; every key but `type` is the plugin's own. */
export type PluginConfig = JsonObject & { readonly type: string };

/** A network's configuration, CNI specification section 1, with the version that was selected from those it offers. */
export interface NetworkConfig {
  readonly name: string;
  readonly cniVersion: CniVersion;
  readonly disableCheck: boolean;
  readonly disableGC: boolean;
  readonly plugins: readonly PluginConfig[];
}

/** Network names and container ids, as the specification words them. */
const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;

/**
 * Checks a configuration: a list of plugins, or one plugin alone, which becomes a list of one. `more` are plugins
 * that come from the folder beside the file and are appended.
 * @throws invalid-argument saying which key is wrong.
 */
export function parseNetworkConfig(value: JsonObject, more: readonly PluginConfig[] = []): NetworkConfig {
  const plugins = [...inlinedPlugins(value), ...more];
  if (plugins.length === 0) throw invalidArgument('lists no plugins');
  return {
    name: parseName(value['name']),
    cniVersion: parseVersion(value),
    disableCheck: optionalFlag(value['disableCheck'], 'disableCheck'),
    disableGC: optionalFlag(value['disableGC'], 'disableGC'),
    plugins,
  };
}

/** Checks one plugin's object: the type is the name of a program, never a path. */
export function parsePluginConfig(value: JsonObject): PluginConfig {
  const { type } = value;
  if (typeof type !== 'string' || type === '') throw invalidArgument('a plugin has no type');
  if (/[/\\\0]/.test(type) || type === '.' || type === '..') {
    throw invalidArgument(`plugin type ${JSON.stringify(type)} is not a file name`);
  }
  if ('capabilities' in value && value['capabilities'] !== null && !isObject(value['capabilities'])) {
    throw invalidArgument(`plugin "${type}": capabilities is not an object`);
  }
  return { ...value, type };
}

/** True for a configuration that lists plugins, rather than being one itself. */
export function isList(value: JsonObject): boolean {
  return 'plugins' in value || !('type' in value);
}

function inlinedPlugins(value: JsonObject): PluginConfig[] {
  if (!isList(value)) return [parsePluginConfig(value)];
  return objectList(value['plugins'], 'plugins').map(parsePluginConfig);
}

/** The network's name; it becomes a path name in plugins' state. */
export function parseName(value: unknown): string {
  const name = optionalString(value, 'name');
  if (name === undefined) throw invalidArgument('has no name');
  if (!NAME.test(name))
    throw invalidArgument(`name ${JSON.stringify(name)} has characters other than a-z, 0-9, "_", ".", "-"`);
  return name;
}

function parseVersion(value: JsonObject): CniVersion {
  const single = optionalString(value['cniVersion'], 'cniVersion');
  const offered = [...stringList(value['cniVersions'], 'cniVersions'), ...(single === undefined ? [] : [single])];
  if (offered.length === 0) throw invalidArgument('has no cniVersion');
  const version = selectVersion(offered);
  if (version !== undefined) return version;
  throw invalidArgument(`cniVersion ${offered.join(', ')} is not supported, only ${CNI_VERSIONS.join(', ')}`);
}
