import type { OciMount } from './types.js';

export type Propagation = 'private' | 'host-to-container' | 'bidirectional';

/** A bind mount from the host, as CRI's Mount has it. */
export interface ContainerMount {
  readonly containerPath: string;
  readonly hostPath: string;
  readonly readonly: boolean;
  readonly propagation: Propagation;
}

/** Paths of the sandbox's files that its containers share. */
export interface SandboxFiles {
  readonly resolvConf: string;
  readonly hostname: string;
  readonly hosts: string;
  readonly shm: string;
}

/** The mounts that every container has: the kernel's file systems and the usual /dev (runtime-spec, config-linux). */
export function defaultMounts(options: { privileged: boolean; hostNetwork: boolean }): OciMount[] {
  const mode = options.privileged ? 'rw' : 'ro';
  return [
    { destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'noexec', 'nodev'] },
    {
      destination: '/dev',
      type: 'tmpfs',
      source: 'tmpfs',
      options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
    },
    {
      destination: '/dev/pts',
      type: 'devpts',
      source: 'devpts',
      options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'],
    },
    { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: ['nosuid', 'noexec', 'nodev'] },
    { destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['nosuid', 'noexec', 'nodev', mode] },
    {
      destination: '/sys/fs/cgroup',
      type: 'cgroup',
      source: 'cgroup',
      options: ['nosuid', 'noexec', 'nodev', 'relatime', mode],
    },
  ];
}

/** The sandbox's files, but for those that the container's own mounts replace. */
export function sandboxMounts(files: SandboxFiles, own: readonly ContainerMount[], readonlyRoot: boolean): OciMount[] {
  const taken = new Set(own.map((mount) => normalize(mount.containerPath)));
  const file = (destination: string, source: string): OciMount => ({
    destination,
    type: 'bind',
    source,
    options: ['rbind', 'rprivate', readonlyRoot ? 'ro' : 'rw'],
  });
  return [
    file('/etc/resolv.conf', files.resolvConf),
    file('/etc/hostname', files.hostname),
    file('/etc/hosts', files.hosts),
    { destination: '/dev/shm', type: 'bind', source: files.shm, options: ['rbind', 'rprivate', 'rw'] },
  ].filter((mount) => !taken.has(mount.destination));
}

const PROPAGATION: Readonly<Record<Propagation, string>> = {
  private: 'rprivate',
  'host-to-container': 'rslave',
  bidirectional: 'rshared',
};

/** The container's own mounts, parents before children, whatever the order of asking. */
export function bindMounts(mounts: readonly ContainerMount[]): OciMount[] {
  return [...mounts]
    .sort((a, b) => depth(a.containerPath) - depth(b.containerPath))
    .map((mount) => ({
      destination: mount.containerPath,
      type: 'bind',
      source: mount.hostPath,
      options: ['rbind', PROPAGATION[mount.propagation], mount.readonly ? 'ro' : 'rw'],
    }));
}

/** Mounts that pass events to the host need a root that is shared, ones that take them one that is a slave. */
export function rootfsPropagation(mounts: readonly ContainerMount[]): 'rprivate' | 'rslave' | 'rshared' {
  if (mounts.some((mount) => mount.propagation === 'bidirectional')) return 'rshared';
  return mounts.some((mount) => mount.propagation === 'host-to-container') ? 'rslave' : 'rprivate';
}

function depth(path: string): number {
  return normalize(path).split('/').length;
}

function normalize(path: string): string {
  return path.replace(/\/+/g, '/').replace(/(.)\/$/, '$1');
}
