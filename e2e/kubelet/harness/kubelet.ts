import { mkdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { PROJECT_ROOT } from '../../../scripts/project-root.js';
import { unmount } from '../../../src/base/sys/sys.js';
import { hierarchies } from '../../../src/oci/cgroup.js';
import { TOOLS } from '../../harness/crictl.js';
import type { House } from '../../harness/house.js';
import { below } from '../../harness/leaks/cgroups.js';
import { ownMounts } from '../../harness/leaks/mounts.js';
import { logFileOf } from '../../harness/log-file.js';
import { freePort } from '../../harness/ports.js';
import { startService, stopService, type Service } from '../../harness/service.js';
import type { ApiAccess } from './api-client.js';
import { firstAnswer } from './first-answer.js';
import { kubeconfig, kubeletCgroup, kubeletConfig, type KubeletPlace, type KubeletSettings } from './kubelet-config.js';

const IN_OWN_MOUNTS = join(PROJECT_ROOT, 'e2e', 'kubelet', 'harness', 'in-own-mounts');

export interface KubeletOptions {
  readonly access: ApiAccess;
  /** The node's name. */
  readonly name: string;
  readonly settings?: KubeletSettings;
}

export interface Kubelet {
  /** Those of its log with this in them. */
  lines(text: string): Promise<string[]>;
  /** Its errors that match, as logged. */
  errors(pattern: RegExp): Promise<string[]>;
  /** The value of a metric without labels; undefined where it has none. */
  metric(name: string): Promise<number | undefined>;
  /** Ends it and takes away what it leaves: sandboxes that wait for its garbage collection, mounts, cgroups. */
  stop(): Promise<void>;
}

/** Starts a kubelet of the suite's daemon, in a mount namespace of its own, and waits until it is healthy. */
export async function startKubelet(house: House, { access, name, settings = {} }: KubeletOptions): Promise<Kubelet> {
  const place = {
    house,
    dir: join(house.scratch.dir, 'kubelet'),
    port: await freePort(),
    readOnlyPort: await freePort(),
  };
  await prepare(place, { access, settings });
  const logFile = logFileOf(house.scratch, 'kubelet');
  const service = await startService(IN_OWN_MOUNTS, commandOf(place, name), logFile);
  const kubelet = new RunningKubelet(place, service, logFile);
  await firstAnswer({ service, server: 'kubelet', logFile }, async () => (await kubelet.isHealthy()) || undefined);
  return kubelet;
}

interface Files {
  readonly access: ApiAccess;
  readonly settings: KubeletSettings;
}

async function prepare(place: KubeletPlace, { access, settings }: Files): Promise<void> {
  const { dir, house } = place;
  for (const each of [dir, join(dir, 'root'), join(dir, 'sysctls')]) await mkdir(each);
  for (const hierarchy of hierarchies()) await mkdir(join(hierarchy, kubeletCgroup(house)));
  await writeFile(join(dir, 'config.json'), JSON.stringify(kubeletConfig(place, settings)));
  await writeFile(join(dir, 'kubeconfig.json'), JSON.stringify(kubeconfig(access)));
}

function commandOf({ dir }: KubeletPlace, name: string): string[] {
  return [
    ...[dir, join(TOOLS, 'kubelet'), '--config', join(dir, 'config.json'), '--hostname-override', name],
    ...['--kubeconfig', join(dir, 'kubeconfig.json'), '--root-dir', join(dir, 'root'), '--cert-dir', join(dir, 'pki')],
  ];
}

class RunningKubelet implements Kubelet {
  readonly #place: KubeletPlace;
  readonly #service: Service;
  readonly #logFile: string;

  constructor(place: KubeletPlace, service: Service, logFile: string) {
    this.#place = place;
    this.#service = service;
    this.#logFile = logFile;
  }

  async lines(text: string): Promise<string[]> {
    return (await this.#log()).filter((line) => line.includes(text));
  }

  async errors(pattern: RegExp): Promise<string[]> {
    return (await this.#log()).filter((line) => /^E\d{4} /.test(line) && pattern.test(line));
  }

  async metric(name: string): Promise<number | undefined> {
    const text = await this.#ask('/metrics');
    const value = new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1];
    return value === undefined ? undefined : Number(value);
  }

  async isHealthy(): Promise<boolean> {
    return (await this.#ask('/healthz')) === 'ok';
  }

  async stop(): Promise<void> {
    await stopService(this.#service);
    const { dir, house } = this.#place;
    await house.crictl.ok('rmp', '-f', '-a');
    const mounts = (await ownMounts(house.scratch)).filter((target) => target.startsWith(`${dir}/`));
    for (const target of mounts.reverse()) await unmount(target);
    for (const hierarchy of hierarchies()) await removeAll(join(hierarchy, kubeletCgroup(house)));
  }

  async #log(): Promise<string[]> {
    return (await readFile(this.#logFile, 'utf8')).split('\n');
  }

  async #ask(path: string): Promise<string> {
    return (await fetch(`http://127.0.0.1:${this.#place.readOnlyPort}${path}`)).text();
  }
}

async function removeAll(cgroup: string): Promise<void> {
  for (const dir of [cgroup, ...(await below(cgroup))].reverse()) await rmdir(dir);
}
