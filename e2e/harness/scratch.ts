import { randomBytes } from 'node:crypto';
import { chmod, mkdir, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { runOk } from '../../src/base/spawn.js';
import { SETTINGS } from './settings.js';

/** What one suite has for itself, so that suites and whatever else runs on the machine never meet. */
export interface Scratch {
  readonly dir: string;
  /** gantryd's `root` and `state`. */
  readonly root: string;
  readonly state: string;
  readonly socket: string;
  readonly netns: string;
  readonly cniConf: string;
  /** host-local's address files, one directory a network below it. */
  readonly ipam: string;
  readonly hosts: string;
  /** Container logs, as kubelet's /var/log/pods. */
  readonly logs: string;
  /** The CNI network's name. */
  readonly network: string;
  readonly bridge: string;
  /** The first three bytes of the pods' /24: `10.88.7`. */
  readonly subnet: string;
  /** Absolute, the same in every cgroup hierarchy. */
  readonly cgroup: string;
  /** Parent of the pods' cgroups and cgroup of the conmons, both below `cgroup`; they stay while the daemon does. */
  readonly pods: string;
  readonly monitors: string;
}

/** Makes the directories; bridge and cgroup are made by those who use them. */
export async function makeScratch(): Promise<Scratch> {
  const id = randomBytes(3).toString('hex');
  const dir = await mkdtemp(join(tmpdir(), `gantry-e2e-${id}-`));
  // Passable, as /run and /var/lib are: root of a pod's own user namespace is nobody special out here.
  await chmod(dir, 0o711);
  const below = (name: string): string => join(dir, name);
  const scratch: Scratch = {
    dir,
    root: below('root'),
    state: below('state'),
    socket: below('gantry.sock'),
    netns: below('netns'),
    cniConf: below('net.d'),
    ipam: below('ipam'),
    hosts: below('hosts'),
    logs: below('logs'),
    network: `gantry-e2e-${id}`,
    bridge: `gantry${id}`,
    subnet: await freeSubnet(),
    ...cgroups(id),
  };
  const { root, state, netns, cniConf, ipam, hosts, logs } = scratch;
  await Promise.all([root, state, netns, cniConf, ipam, hosts, logs].map((path) => mkdir(path)));
  return scratch;
}

/** A slice lies in those that its name begins with, up to each dash. */
function cgroups(id: string): Pick<Scratch, 'cgroup' | 'pods' | 'monitors'> {
  const systemd = SETTINGS.cgroupDriver === 'systemd';
  const cgroup = systemd ? `/gantrye2e${id}.slice` : `/gantry-e2e-${id}`;
  const below = (name: string): string => join(cgroup, systemd ? `gantrye2e${id}-${name}.slice` : name);
  return { cgroup, pods: below('pods'), monitors: below('monitors') };
}

/** Below 10.88.0.0/13, and no route leads there. */
async function freeSubnet(): Promise<string> {
  const { stdout } = await runOk('ip', ['-4', 'route', 'show', 'table', 'all'], { timeoutMs: 10_000 });
  const routes = stdout.toString();
  for (;;) {
    const [second = 0, third = 0] = randomBytes(2);
    const subnet = `10.${88 + (second % 8)}.${third}`;
    if (!routes.includes(`${subnet}.`)) return subnet;
  }
}
