import { describeError } from '../base/errors.js';
import { missingPlugins } from './find-plugin.js';
import type { BrokenFile, LoadedNetwork, NetworkSet } from './load-networks.js';
import { statusNetwork } from './network-verbs.js';
import type { PluginContext } from './run-plugin.js';

/** The network half of CRI's Status. */
export interface CniStatus {
  readonly ready: boolean;
  /** `NetworkPluginNotReady`, or empty when ready. */
  readonly reason: string;
  /** Why it is not ready; when ready, which files are left out. */
  readonly message: string;
  /** Name of the network that pods get, and the file that it is from. */
  readonly network?: string;
  readonly file?: string;
  /** All networks in order, for the verbose answer. */
  readonly networks: readonly LoadedNetwork[];
  readonly broken: readonly BrokenFile[];
}

export const IFNAME = 'eth0';

/** Says whether pods can get a network: a valid configuration, its plugins in place, and their own STATUS. */
export async function judge(set: NetworkSet, confDir: string, context: PluginContext): Promise<CniStatus> {
  const fault = await findFault(set, confDir, context);
  const [first] = set.networks;
  return {
    ready: fault === undefined,
    reason: fault === undefined ? '' : 'NetworkPluginNotReady',
    message: [...(fault === undefined ? [] : [fault]), ...set.broken.map(describeBroken)].join('; '),
    ...(first === undefined ? {} : { network: first.config.name, file: first.file }),
    networks: set.networks,
    broken: set.broken,
  };
}

async function findFault(set: NetworkSet, confDir: string, context: PluginContext): Promise<string | undefined> {
  const [first] = set.networks;
  if (first === undefined) return `cni: no ${set.broken.length > 0 ? 'valid ' : ''}network configuration in ${confDir}`;
  const missing = await missingPlugins(first.config, context.binDirs);
  if (missing.length > 0) {
    const names = missing.map((type) => `"${type}"`).join(', ');
    return `cni: plugin ${names} of network "${first.config.name}" (${first.file}) not found in ${context.binDirs.join(', ')}`;
  }
  return statusNetwork(context, first.config).then(() => undefined, describeError);
}

function describeBroken({ file, error }: BrokenFile): string {
  return `cni: ${file} is left out: ${error}`;
}
