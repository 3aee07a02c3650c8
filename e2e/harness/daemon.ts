import { readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';

import { dump } from 'js-yaml';

import { PROJECT_ROOT } from '../../scripts/project-root.js';
import { failedPrecondition } from '../../src/base/errors.js';
import { tail } from '../../src/base/spawn.js';
import { writeCniNetwork } from './cni-network.js';
import type { Crictl } from './crictl.js';
import { logFileOf } from './log-file.js';
import type { Scratch } from './scratch.js';
import { SETTINGS } from './settings.js';
import { startService, stopService, type Service } from './service.js';
import { waitFor } from './wait.js';

const GANTRYD = join(PROJECT_ROOT, 'bin', 'gantryd');
const START_MS = 15_000;

/** gantryd's configuration, as in its file. */
export type Settings = Readonly<Record<string, unknown>>;

export interface DaemonOptions {
  readonly settings?: Settings;
  readonly wrapper?: readonly string[];
}

/** gantryd on a suite's scratch directories. It can be ended and started again; what it made stays meanwhile. */
export class Daemon {
  readonly #scratch: Scratch;
  readonly #crictl: Crictl;
  readonly #settings: Settings;
  #changes: Settings = {};
  readonly #config: string;
  readonly #wrapper: readonly string[];
  readonly logFile: string;
  #service: Service | undefined;

  /** `wrapper`: a command that becomes the one which its arguments are, under the same process id. */
  constructor(scratch: Scratch, crictl: Crictl, { settings = {}, wrapper = [] }: DaemonOptions = {}) {
    this.#settings = settings;
    this.#wrapper = wrapper;
    this.#scratch = scratch;
    this.#crictl = crictl;
    this.logFile = logFileOf(scratch, 'gantryd');
    this.#config = join(scratch.dir, 'gantry.yaml');
  }

  /** @throws failed-precondition while it is not running. */
  get pid(): number {
    return this.#running().pid;
  }

  /** Has its next starts be by other settings, which come over the suite's. */
  configure(changes: Settings): void {
    this.#changes = changes;
  }

  /** Writes configuration and CNI network, starts the daemon and waits until it answers. */
  async start(): Promise<void> {
    await writeFile(this.#config, dump(merged(merged(usual(this.#scratch), this.#settings), this.#changes)));
    await writeCniNetwork(this.#scratch);
    const [command, ...args] = [...this.#wrapper, GANTRYD, '--config', this.#config] as const;
    const service = await startService(command, args, this.logFile);
    this.#service = service;
    await Promise.race([this.#ready(), this.#endedEarly(service)]);
  }

  /** Ends it as init systems do. Returns the exit code. */
  async stop(): Promise<number> {
    const service = this.#running();
    this.#service = undefined;
    return stopService(service);
  }

  /** Ends it without a chance to tidy up. */
  async kill9(): Promise<void> {
    const service = this.#running();
    this.#service = undefined;
    service.signal('SIGKILL');
    await service.ended;
  }

  /** Starts another one beside it, with the same configuration, and returns its exit code. */
  async startSecond(): Promise<number> {
    const service = await startService(GANTRYD, ['--config', this.#config], `${this.logFile}.second`);
    return service.ended;
  }

  get running(): boolean {
    return this.#service !== undefined;
  }

  log(): Promise<string> {
    return readFile(this.logFile, 'utf8');
  }

  #running(): Service {
    if (this.#service === undefined) throw failedPrecondition('gantryd is not running');
    return this.#service;
  }

  async #ready(): Promise<void> {
    // Version is answered while the daemon still recovers; a list is not.
    await waitFor('answer of gantryd', START_MS, () => this.#crictl.ok('pods', '-q'));
  }

  async #endedEarly(service: Service): Promise<void> {
    const code = await service.ended;
    // After a regular end nobody waits for this any more.
    if (this.#service === service) {
      this.#service = undefined;
      throw failedPrecondition(`gantryd ended with exit code ${code}: ${tail(await this.log())}`);
    }
  }
}

function usual(scratch: Scratch): Settings {
  return {
    root: scratch.root,
    state: scratch.state,
    listen: scratch.socket,
    cgroup_driver: SETTINGS.cgroupDriver,
    runtime: {
      default_handler: SETTINGS.runtime,
      handlers: { [SETTINGS.runtime]: {} },
      cgroup_parent: cgroupName(scratch.pods),
      monitor_cgroup: cgroupName(scratch.monitors),
    },
    network: { conf_dir: scratch.cniConf, netns_dir: scratch.netns },
    image: { hosts_dirs: [scratch.hosts], registries_conf: '', signature_policy: '' },
    log: { level: 'debug', format: 'json' },
  };
}

/** systemd knows slices by their last name alone. */
function cgroupName(path: string): string {
  return SETTINGS.cgroupDriver === 'systemd' ? basename(path) : path;
}

/** Sections are merged, whatever else is replaced. */
function merged(base: Settings, over: Settings): Settings {
  const both = Object.entries(over).map(([name, value]) => {
    const below = base[name];
    return [name, isSection(value) && isSection(below) ? merged(below, value) : value] as const;
  });
  return { ...base, ...Object.fromEntries(both) };
}

function isSection(value: unknown): value is Settings {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
