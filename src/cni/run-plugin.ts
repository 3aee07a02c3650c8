import { delimited } from '../base/delimited.js';
import { notFound, wrapError } from '../base/errors.js';
import { MINIMAL_ENV, run, type RunResult } from '../base/spawn.js';
import { findPlugin } from './find-plugin.js';
import type { JsonObject } from './json.js';
import { pluginFailure } from './plugin-error.js';

export type CniCommand = 'ADD' | 'DEL' | 'CHECK' | 'STATUS' | 'GC';

/** Where plugins are and how long each may take. */
export interface PluginContext {
  readonly binDirs: readonly string[];
  readonly timeoutMs: number;
}

/** One execution of a plugin, CNI specification section 2. */
export interface Invocation {
  readonly command: CniCommand;
  readonly plugin: string;
  /** CNI_CONTAINERID, CNI_NETNS, CNI_IFNAME and CNI_ARGS where the command has them. */
  readonly env: Readonly<Record<string, string>>;
  /** What the plugin reads from its standard input. */
  readonly config: JsonObject;
  readonly signal?: AbortSignal | undefined;
}

const MAX_OUTPUT = 1 << 20;

/**
 * Runs a plugin in the daemon's own network namespace and returns its output.
 * @throws not-found if it is in none of the directories; a {@link CniPluginError} if it fails; deadline-exceeded or
 *   cancelled if it was cut short.
 */
export async function runPlugin(context: PluginContext, invocation: Invocation): Promise<RunResult> {
  const { command, plugin, signal } = invocation;
  const what = describeInvocation(invocation);
  const path = await findPlugin(plugin, context.binDirs);
  if (path === undefined) throw notFound(`${what}: no such program in ${context.binDirs.join(', ')}`);
  const result = await run(path, [], {
    timeoutMs: context.timeoutMs,
    signal,
    env: {
      ...MINIMAL_ENV,
      CNI_COMMAND: command,
      CNI_PATH: delimited(':', context.binDirs, 'CNI_PATH'),
      ...invocation.env,
    },
    stdin: JSON.stringify(invocation.config),
    maxOutput: MAX_OUTPUT,
  }).catch((error: unknown) => {
    throw wrapError(error, what);
  });
  if (result.exitCode !== 0) throw pluginFailure(what, plugin, result);
  return result;
}

/** `cni plugin "bridge" ADD on network "pods"`, which begins every message about an execution. */
export function describeInvocation({
  command,
  plugin,
  config,
}: Pick<Invocation, 'command' | 'plugin' | 'config'>): string {
  return `cni plugin "${plugin}" ${command} on network "${String(config['name'])}"`;
}
