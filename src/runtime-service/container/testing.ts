import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { notFound } from '../../base/errors.js';
import { newId } from '../../base/ids.js';
import { silentLogger } from '../../base/log.js';
import { JoinableOperations, NameRegistry } from '../../base/names.js';
import { endProcess, identify } from '../../base/sys/process.js';
import { MS } from '../../base/sys/calls.js';
import { mount, mountOverlay, unmount } from '../../base/sys/sys.js';
import { until, type Scratch } from '../../base/testing.js';
import { AppArmor } from '../../oci/apparmor.js';
import { OwnCgroup } from '../../oci/cgroup.js';
import { Monitor } from '../../oci/monitor.js';
import { SeccompProfiles } from '../../oci/seccomp-profiles.js';
import { Selinux } from '../../oci/selinux/selinux.js';
import { NO_LIMITS } from '../../oci/spec/resources.js';
import { CONMON, makeRootfs } from '../../oci/testing.js';
import { removeSandbox } from '../../sandbox/remove.js';
import { runSandbox } from '../../sandbox/run.js';
import { podConfig, World, type WorldOptions } from '../../sandbox/testing.js';
import type { SandboxConfig } from '../../sandbox/types.js';
import type { Confiners } from './confine.js';
import type { ContainerContext, ContainerImage, ContainerImages } from './context.js';
import { createContainer } from './create.js';
import { ExitWatcher } from './exits.js';
import { recoverContainers } from './recover.js';
import { recoverSandboxes } from '../../sandbox/recover.js';
import { removeContainer } from './remove.js';
import { startContainer } from './start.js';
import { openContainerStore, type Container } from './store.js';
import type { ContainerConfig, ExitedStatus, SecurityConfig } from './types.js';

export const IMAGE: ContainerImage = {
  id: 'sha256:1111',
  repoDigests: ['test/busybox@sha256:2222'],
  config: { env: ['FROM=image'], cmd: ['sleep', '60'], entrypoint: [], workingDir: '', user: '', stopSignal: '' },
};

export const SECURITY: SecurityConfig = {
  ...{
    privileged: false,
    addCapabilities: [],
    dropCapabilities: [],
    addAmbientCapabilities: [],
    pid: 'container',
    targetId: '',
    username: '',
  },
  ...{ supplementalGroups: [], groupsPolicy: 'merge', readonlyRootfs: false, noNewPrivileges: false },
};

/** A container's configuration, with a name of its own. */
export function containerConfig(more: Partial<ContainerConfig> = {}): ContainerConfig {
  return {
    metadata: { name: `c${newId().slice(0, 6)}`, attempt: 0 },
    ...{ image: 'busybox', userSpecifiedImage: '', command: [], args: [], workingDir: '', env: [], mounts: [] },
    ...{ devices: [], labels: {}, annotations: {}, logPath: 'c.log', stdin: false, stdinOnce: false, tty: false },
    ...{ stopSignal: '', resources: NO_LIMITS, security: SECURITY },
    ...more,
  };
}

export interface ContainerWorldOptions extends WorldOptions {
  readonly conmon?: string;
  readonly image?: Partial<ContainerImage['config']>;
  readonly images?: Partial<ContainerImages>;
}

async function ownConfiners(): Promise<Confiners> {
  return {
    seccomp: await SeccompProfiles.open({ file: '', unset: 'unconfined' }),
    selinux: await Selinux.open(silentLogger(), 'off'),
    apparmor: await AppArmor.open(silentLogger()),
  };
}

/** Images whose one layer is a directory with busybox. */
class DirectoryImages implements ContainerImages {
  readonly #rootfs: string;
  readonly #image: ContainerImage;
  readonly adopted: string[] = [];

  constructor(rootfs: string, image: ContainerImage) {
    this.#rootfs = rootfs;
    this.#image = image;
  }

  resolve(image: string): ContainerImage {
    if (image !== 'busybox') throw notFound(`image "${image}" does not exist`);
    return this.#image;
  }

  namesOf(imageId: string, asked: string): { name: string; digested: string } {
    return { name: asked, digested: this.#image.repoDigests[0] ?? imageId };
  }

  async mountRootfs({ target, writable }: { target: string; writable: string }): Promise<void> {
    const [upper, work] = [join(writable, 'upper'), join(writable, 'work')];
    for (const dir of [upper, work]) await mkdir(dir, { recursive: true });
    await mountOverlay({ lower: [this.#rootfs], upper, work, target, volatile: true });
  }

  async mountVolume({ target }: { target: string }): Promise<void> {
    await mkdir(target, { recursive: true });
    await mount({ source: this.#rootfs, target, flags: MS.BIND });
  }

  unmountRootfs({ target }: { target: string }): Promise<void> {
    return unmount(target, { detach: true });
  }

  adopt(owner: string): void {
    this.adopted.push(owner);
  }

  adoptUnknown(owner: string): void {
    this.adopted.push(`${owner}, of an unknown image`);
  }
}

/** Everything that containers need, beside a {@link World} of sandboxes. */
export class ContainerWorld {
  readonly scratch: Scratch;
  readonly world: World;
  context!: ContainerContext;
  readonly #options: ContainerWorldOptions;

  private constructor(world: World, options: ContainerWorldOptions) {
    this.scratch = world.scratch;
    this.world = world;
    this.#options = options;
  }

  static async make(scratch: Scratch, options: ContainerWorldOptions = {}): Promise<ContainerWorld> {
    const own = new ContainerWorld(await World.make(scratch, options), options);
    await makeRootfs(scratch.path('image'));
    await own.#open();
    scratch.defer(() => own.#removeAll());
    return own;
  }

  /** What a new daemon has of the same directories, by another configuration if need be, recovered. */
  async restart(other: Partial<Pick<ContainerContext, 'runtimes' | 'stateDir'>> = {}): Promise<ContainerContext> {
    await this.world.restart(other.runtimes === undefined ? {} : { runtimes: other.runtimes });
    await this.#open(other.stateDir);
    await recoverContainers(this.context);
    await recoverSandboxes(this.world.context);
    return this.context;
  }

  async #open(stateDir = this.scratch.path('state')): Promise<void> {
    const { scratch, world } = this;
    const { runtimes, retries, logger, store: sandboxes } = world.context;
    const { conmon = CONMON, image = {}, images = {} } = this.#options;
    const store = await openContainerStore(scratch.path('root'), logger);
    const locks = world.context.locks;
    const whole = { ...IMAGE, config: { ...IMAGE.config, ...image } };
    this.context = {
      ...{ store, sandboxes, runtimes, retries, logger, locks, stateDir },
      images: Object.assign(new DirectoryImages(scratch.path('image'), whole), images),
      monitor: new Monitor({ path: conmon, cgroup: await OwnCgroup.make(`${world.cgroupParent}/monitors`) }),
      exits: new ExitWatcher({ store, runtimes, locks, stateDir, logger }),
      confiners: await ownConfiners(),
      names: new NameRegistry(),
      joins: new JoinableOperations(),
    };
  }

  /** A sandbox on the node's network, which is the quickest, with its logs in the test's directory. */
  async sandbox(more: Partial<SandboxConfig> = {}): Promise<string> {
    const namespaces = { network: 'node', pid: 'container', ipc: 'pod' } as const;
    const config = podConfig({ namespaces, logDirectory: this.scratch.path('logs'), ...more });
    const id = await runSandbox(this.world.context, config, newId());
    const { status } = this.world.context.store.find(id);
    // Only then is its process what it stays.
    const pid = status.state === 'ready' ? status.pause.pid : 0;
    await until(async () => (await readFile(`/proc/${pid}/cmdline`, 'utf8')).startsWith('/pause'));
    return id;
  }

  create(sandboxId: string, more: Partial<ContainerConfig> = {}): Promise<string> {
    return createContainer(this.context, { sandboxId, config: containerConfig(more), digest: newId() });
  }

  async run(sandboxId: string, script: string, more: Partial<ContainerConfig> = {}): Promise<string> {
    const id = await this.create(sandboxId, { command: ['sh', '-c', script], ...more });
    await startContainer(this.context, id);
    return id;
  }

  get(id: string): Container {
    return this.context.store.find(id);
  }

  /** How a container ended, once it has. */
  async exit(id: string): Promise<ExitedStatus> {
    await until(() => this.get(id).status.state === 'exited');
    const { status } = this.get(id);
    if (status.state !== 'exited') throw new RangeError(`container ${id} has not ended`);
    return status;
  }

  /** The lines of a container's log, without their time. */
  async log(id: string): Promise<string[]> {
    const text = await readFile(this.get(id).record.logPath, 'utf8');
    return text
      .split('\n')
      .filter(Boolean)
      .map((line) => line.slice(line.indexOf(' ') + 1));
  }

  /** Writes a container's status as a crash would have left it. */
  async leave(id: string, status: object): Promise<void> {
    const path = this.scratch.path('root', 'containers', id, 'status.json');
    await writeFile(path, JSON.stringify({ version: 1, ...status }));
  }

  /** Everything that is there of any container or sandbox, and is in none of the directories `but`. */
  async leftovers(): Promise<string[]> {
    const dirs = ['root/containers', 'state/containers'].map((dir) => this.scratch.path(dir));
    const names = await Promise.all(dirs.map((dir) => readdir(dir).catch(() => [])));
    const monitors = `${this.world.cgroupParent}/monitors`;
    const others = (await this.world.leftovers()).filter((left) => !left.endsWith(monitors));
    return [...others, ...names.flat(), ...this.context.store.list().map(({ record }) => record.name)];
  }

  /** Removes all sandboxes with their containers, and waits for the runtime to forget them too. */
  async clear(): Promise<void> {
    for (const { record } of this.context.store.list()) await removeContainer(this.context, record.id);
    for (const { record } of this.world.context.store.list()) await removeSandbox(this.world.context, record.id);
    await until(() => this.context.locks.size === 0);
  }

  /** Nothing that a test makes outlives it, whatever it broke. */
  async #removeAll(): Promise<void> {
    const pids = await readdir('/proc');
    for (const pid of pids.filter((name) => /^\d+$/.test(name)).map(Number)) {
      const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
      const process = identify(pid);
      if (line.startsWith(CONMON) && line.includes(this.scratch.root) && process !== undefined)
        await endProcess(process);
    }
    const removals = this.context.store.list().map(({ record }) => removeContainer(this.context, record.id));
    await Promise.allSettled(removals);
    await until(() => this.context.locks.size === 0);
  }
}
