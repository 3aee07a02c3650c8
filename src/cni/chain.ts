import { describeError, internal } from '../base/errors.js';
import { runtimeConfigFor } from './capabilities.js';
import { parseObject, type JsonObject } from './json.js';
import type { NetworkConfig, PluginConfig } from './network-config.js';
import { CNI_UNKNOWN_CONTAINER, outputTail, pluginCodeOf } from './plugin-error.js';
import { parseResult, resultAs } from './result.js';
import { describeInvocation, runPlugin, type CniCommand, type Invocation, type PluginContext } from './run-plugin.js';
import { atLeast, type CniVersion } from './version.js';

/** The parameters of one attachment, CNI specification section 3. */
export interface Attachment {
  readonly network: NetworkConfig;
  readonly containerId: string;
  /** Empty at DEL where the namespace is gone. */
  readonly netnsPath: string;
  readonly ifname: string;
  readonly args: string;
  readonly capabilities: JsonObject;
}

/** Adds a container to a network: each plugin gets the result of the one before. Returns the last one's, checked. */
export async function addChain(
  context: PluginContext,
  attachment: Attachment,
  signal?: AbortSignal,
): Promise<JsonObject> {
  let result: JsonObject | undefined;
  for (const plugin of attachment.network.plugins) {
    const invocation = invoke('ADD', attachment, { plugin, prevResult: result, signal });
    result = await runAdd(context, invocation, attachment.network.cniVersion);
  }
  if (result === undefined) throw internal(`network "${attachment.network.name}" lists no plugins`);
  return result;
}

/** What a DEL or CHECK is told of the ADD before it. */
export interface ChainOptions {
  readonly prevResult: JsonObject | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Removes a container from a network: the plugins in reverse, each with the final result of ADD; stops at an error. */
export async function delChain(context: PluginContext, attachment: Attachment, options: ChainOptions): Promise<void> {
  for (const plugin of attachment.network.plugins.toReversed()) {
    try {
      await runPlugin(context, invoke('DEL', attachment, { plugin, ...options }));
    } catch (error) {
      // Code 3 says that there is nothing to clean up for this container.
      if (pluginCodeOf(error) !== CNI_UNKNOWN_CONTAINER) throw error;
    }
  }
}

/** Asks every plugin whether an attachment is as its ADD left it; CHECK exists since 0.4.0. */
export async function checkChain(context: PluginContext, attachment: Attachment, options: ChainOptions): Promise<void> {
  const { network } = attachment;
  if (network.disableCheck || !atLeast(network.cniVersion, '0.4.0') || options.prevResult === undefined) return;
  for (const plugin of network.plugins) {
    await runPlugin(context, invoke('CHECK', attachment, { plugin, ...options }));
  }
}

/** The configuration of one request: the plugin's own keys but the reserved ones, and what the runtime inserts. */
export function requestConfig(network: NetworkConfig, plugin: PluginConfig, inserted: JsonObject): JsonObject {
  const own = Object.entries(plugin).filter(([key]) => !RESERVED.includes(key) && !key.startsWith('cni.dev/'));
  const common = { cniVersion: network.cniVersion, name: network.name };
  const present = Object.entries(inserted).filter(([, value]) => value !== undefined);
  return { ...Object.fromEntries(own), ...common, ...Object.fromEntries(present) };
}

const RESERVED = ['capabilities', 'runtimeConfig', 'prevResult'];

function invoke(
  command: CniCommand,
  attachment: Attachment,
  { plugin, prevResult, signal }: ChainOptions & { plugin: PluginConfig },
): Invocation {
  const { network, containerId, netnsPath, ifname, args, capabilities } = attachment;
  // DEL gets the previous result since 0.4.0; earlier plugins do not know the key there.
  const tells = command === 'ADD' || atLeast(network.cniVersion, '0.4.0');
  return {
    command,
    plugin: plugin.type,
    env: { CNI_CONTAINERID: containerId, CNI_NETNS: netnsPath, CNI_IFNAME: ifname, CNI_ARGS: args },
    config: requestConfig(network, plugin, {
      runtimeConfig: runtimeConfigFor(plugin, capabilities),
      prevResult: tells ? prevResult : undefined,
    }),
    signal,
  };
}

async function runAdd(context: PluginContext, invocation: Invocation, version: CniVersion): Promise<JsonObject> {
  const output = await runPlugin(context, invocation);
  const what = describeInvocation(invocation);
  if (output.truncated) throw internal(`${what}: printed a result larger than 1 MiB`);
  try {
    const raw = resultAs(parseObject(output.stdout.toString(), 'the result'), version);
    parseResult(raw);
    return raw;
  } catch (error) {
    // The fault is the plugin's, so the code is not that of a caller's bad argument.
    throw internal(`${what}: ${describeError(error)}; it printed: ${outputTail(output)}`);
  }
}
