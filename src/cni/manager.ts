import { alreadyExists, describeError, failedPrecondition, hasCode, internal } from '../base/errors.js';
import { KeyedLock } from '../base/keyed-lock.js';
import type { Logger } from '../base/log.js';
import { addAll, checkAll, deleteAll } from './attach.js';
import { AttachmentStore, type AttachmentIntent, type AttachmentRecord } from './attachment-store.js';
import { capabilityArgs } from './capabilities.js';
import { cniArgs } from './cni-args.js';
import { missingPlugins } from './find-plugin.js';
import type { JsonObject } from './json.js';
import type { NetworkConfig } from './network-config.js';
import { NetworkDirectory } from './network-directory.js';
import { IFNAME, type CniStatus } from './network-status.js';
import { gcNetwork } from './network-verbs.js';
import type { PodNetworkRequest } from './pod-request.js';
import { parseResult, podIps, type CniDns } from './result.js';
import type { PluginContext } from './run-plugin.js';
import { SharedGate } from './shared-gate.js';

export interface CniOptions {
  readonly confDir: string;
  /** Searched in order for plugins, and given to them as CNI_PATH. */
  readonly binDirs: readonly string[];
  /** Where the attachments are recorded; must outlive a reboot, since the plugins' state does. */
  readonly recordDir: string;
  /** How long one plugin may take. */
  readonly timeoutMs: number;
  readonly logger: Logger;
  /** How often the directories are looked at beside being watched; 10 s unless told. */
  readonly pollMs?: number;
}

/** What a pod got. */
export interface PodNetwork {
  /** The pod's addresses, the primary one first; never empty. */
  readonly ips: readonly string[];
  readonly network: string;
  readonly dns: CniDns;
  /** The last plugin's ADD result as it printed it, in the version of the network. */
  readonly result: JsonObject;
}

/**
 * The networks of pods: keeps the configuration up to date, runs the plugins, and records each attachment before it
 * is made, so that nothing a plugin allocated is forgotten.
 *
 * Operations of one sandbox run one after another, those of several sandboxes side by side; GC runs alone.
 */
export class CniManager {
  readonly #context: PluginContext;
  readonly #directory: NetworkDirectory;
  readonly #store: AttachmentStore;
  readonly #logger: Logger;
  readonly #locks = new KeyedLock();
  readonly #gate = new SharedGate();

  private constructor(parts: {
    context: PluginContext;
    directory: NetworkDirectory;
    store: AttachmentStore;
    logger: Logger;
  }) {
    this.#context = parts.context;
    this.#directory = parts.directory;
    this.#store = parts.store;
    this.#logger = parts.logger;
  }

  /** Loads the configuration and begins to watch it. A directory that is missing or broken is `status()`'s to tell. */
  static async open(options: CniOptions): Promise<CniManager> {
    const { confDir, binDirs, timeoutMs, recordDir, logger, pollMs = 10_000 } = options;
    const context = { binDirs, timeoutMs };
    const store = await AttachmentStore.open(recordDir, logger);
    const directory = await NetworkDirectory.open({ confDir, context, logger, pollMs });
    return new CniManager({ context, directory, store, logger });
  }

  /** Whether pods can get a network, as of the last look; {@link refresh} looks now. */
  status(): CniStatus {
    return this.#directory.status;
  }

  /** Reads the configuration and asks the plugins again. */
  async refresh(): Promise<void> {
    await this.#directory.refresh();
  }

  /**
   * Adds a sandbox to the default network; `lo` is up since the namespace was made. If that fails, what was done is taken back by DEL before the
   * error is thrown; should DEL fail too, the record stays and {@link tearDown} tries again.
   * @throws invalid-argument for a request that CNI cannot carry; failed-precondition without a network;
   *   already-exists if the sandbox has attachments; otherwise what the plugin said.
   */
  async setUp(request: PodNetworkRequest, signal?: AbortSignal): Promise<PodNetwork> {
    const pod = { args: cniArgs(request), capabilities: capabilityArgs(request) };
    const { sandboxId, netnsPath } = request;
    const add = async (): Promise<PodNetwork> => {
      if ((await this.#store.read(sandboxId)) !== undefined) {
        throw alreadyExists(`sandbox ${sandboxId} is attached to its networks already`);
      }
      const network = await this.#defaultNetwork();
      const attachments = [{ ifname: IFNAME, network }];
      const { binDirs } = this.#context;
      return this.#add({ sandboxId, netnsPath, ...pod, binDirs, attachments }, network.name, signal);
    };
    return this.#locks.run(sandboxId, () => this.#gate.shared(add), signal);
  }

  /**
   * Removes a sandbox from its networks with the configuration and results of its ADD. Nothing recorded is success.
   * The namespace may be gone; undefined means the recorded one. The record goes last.
   */
  async tearDown(sandboxId: string, netnsPath: string | undefined, signal?: AbortSignal): Promise<void> {
    const remove = async (): Promise<void> => {
      const record = await this.#readOrGuess(sandboxId);
      if (record === undefined) return;
      const { intent } = record;
      await this.#delete({ ...record, intent: { ...intent, netnsPath: netnsPath ?? intent.netnsPath } }, signal);
    };
    await this.#locks.run(sandboxId, () => this.#gate.shared(remove), signal);
  }

  /** Asks the plugins whether a sandbox's attachments are as ADD left them; networks that forbid CHECK are content. */
  async check(sandboxId: string, signal?: AbortSignal): Promise<void> {
    const check = async (): Promise<void> => {
      const record = await this.#store.read(sandboxId);
      if (record !== undefined) await checkAll(this.#contextOf(record), record, signal);
    };
    await this.#locks.run(sandboxId, () => this.#gate.shared(check), signal);
  }

  /**
   * Lets the plugins of the loaded networks free what belongs to no recorded sandbox. Only for networks that Gantry
   * alone uses: attachments that others made are stale to it.
   */
  async gc(signal?: AbortSignal): Promise<void> {
    await this.#gate.exclusive(async () => {
      const sandboxes = await this.#store.list();
      const valid = sandboxes.map((containerID) => ({ containerID, ifname: IFNAME }));
      const errors: string[] = [];
      for (const { config } of this.#directory.networks) {
        const options = { valid, signal };
        await gcNetwork(this.#context, config, options).catch((error: unknown) => errors.push(describeError(error)));
      }
      if (errors.length > 0) throw internal(errors.join('; '));
    });
  }

  /** Ids of the sandboxes with attachments on disk. One that nobody knows is for recovery to tear down. */
  async records(): Promise<string[]> {
    return this.#store.list();
  }

  /** Ends the watching; operations under way go on. */
  close(): void {
    this.#directory.close();
  }

  async #defaultNetwork(): Promise<NetworkConfig> {
    const network = await this.#directory.defaultNetwork();
    if (network === undefined) throw failedPrecondition(this.status().message);
    // Now and not when the chain comes to it: there its DEL could not run either, and a pod could not go away.
    const missing = await missingPlugins(network, this.#context.binDirs);
    if (missing.length === 0) return network;
    const names = missing.map((type) => `"${type}"`).join(', ');
    throw failedPrecondition(`network "${network.name}" needs plugins that are not there: ${names}`);
  }

  async #add(intent: AttachmentIntent, network: string, signal?: AbortSignal): Promise<PodNetwork> {
    await this.#store.writeIntent(intent);
    try {
      const results = await addAll(this.#context, intent, signal);
      const pod = toPodNetwork(results[IFNAME] as JsonObject, network);
      await this.#store.writeResults(intent.sandboxId, results);
      return pod;
    } catch (error) {
      // The caller's deadline may have passed; the way back has one of its own for each plugin.
      await this.#delete({ intent, results: {} }).catch((undoError: unknown) => {
        const fields = { sandboxId: intent.sandboxId, error: describeError(undoError) };
        this.#logger.warn(fields, 'cni DEL after a failed ADD failed, the record stays');
      });
      throw error;
    }
  }

  async #delete(record: AttachmentRecord, signal?: AbortSignal): Promise<void> {
    await deleteAll(this.#contextOf(record), record, signal);
    await this.#store.remove(record.intent.sandboxId);
  }

  /** Plugins are where they were at ADD, or have moved with the configuration since. */
  #contextOf({ intent: { binDirs = [] } }: AttachmentRecord): PluginContext {
    return { ...this.#context, binDirs: [...new Set([...binDirs, ...this.#context.binDirs])] };
  }

  /** A record that cannot be read is kept aside; the default network's plugins still free what is under the id. */
  async #readOrGuess(sandboxId: string): Promise<AttachmentRecord | undefined> {
    try {
      return await this.#store.read(sandboxId);
    } catch (error) {
      if (!hasCode(error, 'data-loss')) throw error;
      this.#logger.error({ sandboxId, error: describeError(error) }, 'cni record is unreadable and was set aside');
      await this.#store.setAside(sandboxId);
      const network = await this.#directory.defaultNetwork();
      const attachments = network === undefined ? [] : [{ ifname: IFNAME, network }];
      const args = `IgnoreUnknown=1;K8S_POD_INFRA_CONTAINER_ID=${sandboxId}`;
      return { intent: { sandboxId, netnsPath: '', args, capabilities: {}, attachments }, results: {} };
    }
  }
}

/** kubelet makes a sandbox without an address again and again, so an ADD that gives none has failed. */
function toPodNetwork(result: JsonObject, network: string): PodNetwork {
  const parsed = parseResult(result);
  const ips = podIps(parsed, IFNAME);
  if (ips.length === 0) throw internal(`network "${network}" gave ${IFNAME} no address`);
  return { ips, network, dns: parsed.dns, result };
}
