import { readFileSync } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { notFound } from '../base/errors.js';
import { newId } from '../base/ids.js';
import { KeyedLock } from '../base/keyed-lock.js';
import { silentLogger } from '../base/log.js';
import { JoinableOperations, NameRegistry } from '../base/names.js';
import { MINIMAL_ENV, run, runOk } from '../base/spawn.js';
import { unmount } from '../base/sys/sys.js';
import { until, type Scratch } from '../base/testing.js';
import { UndoRetries } from '../base/undo.js';
import { CniManager } from '../cni/manager.js';
import { hierarchies } from '../oci/cgroup.js';
import type { OciRuntime } from '../oci/runtime.js';
import { SeccompProfiles } from '../oci/seccomp-profiles.js';
import { Selinux } from '../oci/selinux/selinux.js';
import { ownCgroupParent, ownRuntime, testRuntimes } from '../oci/testing.js';
import type { PauseProvider, PodNetworks, SandboxContext } from './context.js';
import { pauseProvider, type PauseImages } from './pause-provider.js';
import { removeSandbox } from './remove.js';
import { openSandboxStore } from './store.js';
import type { SandboxConfig } from './types.js';

export const PAUSE = '/usr/bin/catatonit';
const PLUGINS = '/usr/lib/cni';

/** A sandbox's configuration, of a pod of its own. */
export function podConfig(more: Partial<SandboxConfig> = {}): SandboxConfig {
  return {
    metadata: { name: 'web', namespace: 'shop', uid: newId().slice(0, 8), attempt: 0 },
    ...{ hostname: 'web-0', logDirectory: '', portMappings: [], labels: {}, annotations: {} },
    ...{ cgroupParent: '', runtimeHandler: '', sysctls: {}, privileged: false },
    namespaces: { network: 'pod', pid: 'container', ipc: 'pod' },
    ...more,
  };
}

/** An image service without images. */
export const NO_IMAGES: PauseImages = {
  resolve: (image) => {
    throw notFound(`image "${image}"`);
  },
  pull: (image) => Promise.reject(notFound(`image "${image}"`)),
  mountRootfs: ({ imageId }) => Promise.reject(notFound(`image "${imageId}"`)),
  unmountRootfs: ({ target }) => unmount(target, { detach: true }),
  adopt: () => undefined,
  adoptUnknown: () => undefined,
};

/** The built-in pause, of a program. */
export const pauseOf = (command: string): PauseProvider => pauseProvider({ image: '', command }, NO_IMAGES);

export interface WorldOptions {
  readonly networks?: PodNetworks;
  readonly pause?: PauseProvider;
  /** A runtime's program other than runc. */
  readonly runtimePath?: string;
  readonly timeoutMs?: number;
}

/** Everything that sandboxes need, in directories, cgroups and a bridge of the test's own. */
export class World {
  readonly scratch: Scratch;
  readonly cgroupParent: string;
  readonly bridge = `gsbx${newId().slice(0, 8)}`;
  readonly runtime: OciRuntime;
  context!: SandboxContext;
  /** One that tests running side by side are unlikely to share. */
  readonly #subnet = `10.202.${Math.floor(Math.random() * 256)}.0/24`;
  readonly #options: WorldOptions;

  private constructor(scratch: Scratch, options: WorldOptions) {
    this.scratch = scratch;
    this.#options = options;
    this.cgroupParent = ownCgroupParent(scratch);
    scratch.defer(() => run('ip', ['link', 'del', this.bridge], { timeoutMs: 10_000 }));
    const { runtimePath, timeoutMs } = options;
    this.runtime = ownRuntime(scratch, {
      ...(runtimePath === undefined ? {} : { path: runtimePath }),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    });
  }

  static async make(scratch: Scratch, options: WorldOptions = {}): Promise<World> {
    const world = new World(scratch, options);
    await mkdir(scratch.path('net.d'));
    await world.network();
    await world.restart();
    scratch.defer(() => world.#removeAll());
    return world;
  }

  /** The configuration of the pod network, with more plugins if need be. */
  async network(more: readonly object[] = []): Promise<void> {
    const ipam = { type: 'host-local', dataDir: this.scratch.path('ipam'), ranges: [[{ subnet: this.#subnet }]] };
    const first = { type: 'bridge', bridge: this.bridge, isGateway: true, ipam };
    const list = { cniVersion: '1.0.0', name: 'test', plugins: [first, ...more] };
    await writeFile(this.scratch.path('net.d', '10-test.conflist'), JSON.stringify(list));
  }

  /** What a new daemon has of the same directories, by another configuration if need be; the old one's watches go on, as nothing in a test stops them. */
  async restart(other: Partial<SandboxContext> = {}): Promise<SandboxContext> {
    const { scratch, runtime } = this;
    const logger = silentLogger();
    const retries = new UndoRetries(logger);
    scratch.defer(() => retries.stop());
    this.context = {
      store: await openSandboxStore(scratch.path('root'), logger),
      networks: this.#options.networks ?? (await this.#openCni()),
      runtimes: testRuntimes(scratch, { test: runtime }),
      pause: this.#options.pause ?? pauseOf(PAUSE),
      seccomp: await SeccompProfiles.open({ file: '', unset: 'unconfined' }),
      selinux: await Selinux.open(silentLogger(), 'off'),
      ...{ names: new NameRegistry(), joins: new JoinableOperations(), locks: new KeyedLock(), retries, logger },
      settings: {
        stateDir: scratch.path('state'),
        netnsDir: scratch.path('netns'),
        cgroupParent: this.cgroupParent,
      },
      ...other,
    };
    return this.context;
  }

  async #openCni(): Promise<CniManager> {
    const { scratch } = this;
    const cni = await CniManager.open({
      confDir: scratch.path('net.d'),
      binDirs: [scratch.root, PLUGINS],
      recordDir: scratch.path('root', 'cni'),
      timeoutMs: 10_000,
      logger: silentLogger(),
    });
    scratch.defer(() => cni.close());
    return cni;
  }

  async #removeAll(): Promise<void> {
    await this.context.retries.retry();
    // What a test left in pieces on purpose may resist; the runtime, the mounts and the bridge have ways of their own.
    const removals = this.context.store.list().map(({ record }) => removeSandbox(this.context, record.id));
    await Promise.allSettled(removals);
  }

  /** Writes a sandbox's status as a crash would have left it. */
  async leave(id: string, status: object): Promise<void> {
    const path = this.scratch.path('root', 'sandboxes', id, 'status.json');
    await writeFile(path, JSON.stringify({ version: 1, ...status }));
  }

  /** Takes from a sandbox's record what older versions did not write. */
  async forget(id: string, ...keys: readonly string[]): Promise<void> {
    const path = this.scratch.path('root', 'sandboxes', id, 'record.json');
    const record = JSON.parse(await readFile(path, 'utf8')) as object;
    await writeFile(
      path,
      JSON.stringify(Object.fromEntries(Object.entries(record).filter(([key]) => !keys.includes(key)))),
    );
  }

  /** Everything that is there of any sandbox: none of it may be once all are removed. */
  async leftovers(): Promise<string[]> {
    const { scratch, cgroupParent } = this;
    const mounts = readFileSync('/proc/self/mounts', 'utf8').split('\n');
    const files = ['root/sandboxes', 'root/cni', 'state/sandboxes', 'netns', 'runtime'].map((dir) =>
      namesIn(scratch.path(dir)),
    );
    const leases = (await namesIn(scratch.path('ipam', 'test'))).filter((path) => /\/10\.[\d.]+$/.test(path));
    const cgroups = hierarchies().map((mount) => directoriesIn(join(mount, cgroupParent)));
    const names = this.context.store.list().map(({ record }) => record.id);
    return [
      ...mounts.filter((line) => line.includes(scratch.root)),
      ...(await Promise.all([...files, ...cgroups])).flat(),
      ...[...leases, ...names, ...this.context.retries.waiting],
      ...(await this.#processes()),
    ];
  }

  /** Processes in cgroups of this world, or that name its directory. */
  async #processes(): Promise<string[]> {
    const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
    const lines = await Promise.all(
      pids.map(async (pid) => {
        const [cmdline, cgroup] = await Promise.all(
          ['cmdline', 'cgroup'].map((name) => readFile(`/proc/${pid}/${name}`, 'utf8').catch(() => '')),
        );
        const ours = cmdline?.includes(this.scratch.root) || cgroup?.includes(this.cgroupParent);
        return ours && cmdline !== '' ? [`${pid} ${cmdline ?? ''}`] : [];
      }),
    );
    return lines.flat();
  }

  /** Runs a command in the network namespace of a sandbox. */
  async inNetns(id: string, ...command: readonly string[]): Promise<string> {
    const netns = this.context.store.find(id).record.netnsPath ?? '';
    return output('nsenter', `--net=${netns}`, ...command);
  }

  /** Runs a command in all namespaces of a sandbox but the mount namespace. */
  async inPause(id: string, ...command: readonly string[]): Promise<string> {
    const { status } = this.context.store.find(id);
    const pid = status.state === 'ready' ? status.pause.pid : 0;
    return output('nsenter', `--target=${pid}`, '--net', '--ipc', '--uts', ...command);
  }

  /** Waits until a sandbox is in a state. */
  async reaches(id: string, state: string): Promise<void> {
    await until(() => this.context.store.get(id)?.status.state === state);
  }
}

async function output(command: string, ...args: readonly string[]): Promise<string> {
  return (await runOk(command, args, { timeoutMs: 10_000, env: MINIMAL_ENV })).stdout.toString();
}

async function namesIn(dir: string): Promise<string[]> {
  return (await readdir(dir).catch(() => [])).map((name) => join(dir, name));
}

async function directoriesIn(dir: string): Promise<string[]> {
  const entries = await readdir(dir, { withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isDirectory()).map((entry) => join(dir, entry.name));
}
