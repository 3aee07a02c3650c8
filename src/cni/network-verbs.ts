import { internal, describeError } from '../base/errors.js';
import { requestConfig } from './chain.js';
import type { JsonObject } from './json.js';
import type { NetworkConfig } from './network-config.js';
import { runPlugin, type PluginContext } from './run-plugin.js';
import { atLeast } from './version.js';

/** An attachment that is to live through a GC, as the specification spells it. */
export interface ValidAttachment {
  readonly containerID: string;
  readonly ifname: string;
}

/** Asks a network's plugins in turn whether they can serve ADD; the verb exists since 1.1.0. Throws what the first says. */
export async function statusNetwork(
  context: PluginContext,
  network: NetworkConfig,
  signal?: AbortSignal,
): Promise<void> {
  if (!atLeast(network.cniVersion, '1.1.0')) return;
  for (const plugin of network.plugins) {
    const config = requestConfig(network, plugin, {});
    await runPlugin(context, { command: 'STATUS', plugin: plugin.type, env: {}, config, signal });
  }
}

/**
 * Lets a network's plugins free what belongs to no attachment of the list. Goes on past errors, as section 3 asks,
 * and throws one that names them all. Nothing happens before 1.1.0 or where `disableGC` is set.
 */
export async function gcNetwork(
  context: PluginContext,
  network: NetworkConfig,
  options: { readonly valid: readonly ValidAttachment[]; readonly signal?: AbortSignal | undefined },
): Promise<void> {
  if (network.disableGC || !atLeast(network.cniVersion, '1.1.0')) return;
  const errors: string[] = [];
  const inserted: JsonObject = { 'cni.dev/valid-attachments': options.valid };
  for (const plugin of network.plugins) {
    const config = requestConfig(network, plugin, inserted);
    await runPlugin(context, { command: 'GC', plugin: plugin.type, env: {}, config, signal: options.signal }).catch(
      (error: unknown) => errors.push(describeError(error)),
    );
  }
  if (errors.length > 0) throw internal(errors.join('; '));
}
