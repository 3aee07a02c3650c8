import { describeError } from '../base/errors.js';
import type { Logger } from '../base/log.js';
import { FollowUp } from './follow-up.js';
import { directoryStamp, loadNetworks, type LoadedNetwork, type NetworkSet } from './load-networks.js';
import type { NetworkConfig } from './network-config.js';
import { judge, type CniStatus } from './network-status.js';
import type { PluginContext } from './run-plugin.js';
import { DirectoryWatch } from './watch-directories.js';

export interface NetworkDirectoryOptions {
  readonly confDir: string;
  readonly context: PluginContext;
  readonly logger: Logger;
  readonly pollMs: number;
}

/** The networks of a configuration directory, kept up to date, and whether they can be used. */
export class NetworkDirectory {
  readonly #options: NetworkDirectoryOptions;
  readonly #loading = new FollowUp(() => this.#load());
  readonly #judging = new FollowUp(() => this.#judge());
  readonly #watch: DirectoryWatch;
  #set: NetworkSet = { networks: [], broken: [], stamp: '' };
  #status: CniStatus | undefined;

  private constructor(options: NetworkDirectoryOptions) {
    this.#options = options;
    this.#watch = new DirectoryWatch({
      confDir: options.confDir,
      others: options.context.binDirs,
      pollMs: options.pollMs,
      onChange: () => void this.refresh().catch((error: unknown) => this.#warn(error, 'cni reload failed')),
      onBlind: (error) => this.#warn(error, 'cni directories cannot be watched, only polled'),
    });
  }

  /** Reads the directory and begins to watch it. */
  static async open(options: NetworkDirectoryOptions): Promise<NetworkDirectory> {
    const directory = new NetworkDirectory(options);
    await directory.refresh();
    return directory;
  }

  get status(): CniStatus {
    // Only open() makes an instance, and it has judged.
    return this.#status as CniStatus;
  }

  get networks(): readonly LoadedNetwork[] {
    return this.#set.networks;
  }

  /** Reads the directory and judges what is there; plugins asked for their STATUS may take their time. */
  refresh(): Promise<void> {
    return this.#judging.run();
  }

  /** The network of new pods. Reads the directory first if it has changed since, so an event not yet seen costs no pod. */
  async defaultNetwork(): Promise<NetworkConfig | undefined> {
    const { networks, stamp } = this.#set;
    if (networks.length === 0 || stamp !== (await directoryStamp(this.#options.confDir))) await this.#loading.run();
    return this.#set.networks[0]?.config;
  }

  close(): void {
    this.#watch.close();
  }

  async #load(): Promise<void> {
    this.#set = await loadNetworks(this.#options.confDir);
  }

  async #judge(): Promise<void> {
    await this.#loading.run();
    const before = this.#status;
    this.#status = await judge(this.#set, this.#options.confDir, this.#options.context);
    if (before?.ready === this.#status.ready && before.message === this.#status.message) return;
    const { ready, message, network, file } = this.#status;
    this.#options.logger.info({ ready, network, file, reason: message }, 'cni status changed');
  }

  #warn(error: unknown, message: string): void {
    this.#options.logger.warn({ error: describeError(error) }, message);
  }
}
