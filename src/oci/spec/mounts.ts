import { posix } from 'node:path';

import { hasId, ociMappings, type IdMappings } from '../../base/id-mapping.js';
import type { OciMount } from './types.js';

export type Propagation = 'private' | 'host-to-container' | 'bidirectional';

/** A bind mount from the host, as CRI's Mount has it. */
export interface ContainerMount {
  readonly containerPath: string;
  readonly hostPath: string;
  readonly readonly: boolean;
  readonly propagation: Propagation;
  /** Mounts below the source are read-only, too; only with `readonly`. */
  readonly recursiveReadOnly?: boolean;
  /** The source's files are to get the container's SELinux label. */
  readonly selinuxRelabel?: boolean;
  /** Whose ids the source's files show. */
  readonly mappings?: IdMappings;
  /** An image's content instead of a path of the host, which is empty then. */
  readonly image?: ImageSource;
}

/** An image as a volume (CRI Mount.image). */
export interface ImageSource {
  /** As asked: a tag, a digest or an id. */
  readonly image: string;
  /** What the user wrote, when kubelet resolved it. */
  readonly userSpecifiedImage: string;
  /** A directory in it; empty for its root. */
  readonly subPath: string;
}

/** Paths of the sandbox's files that its containers share. */
export interface SandboxFiles {
  readonly resolvConf: string;
  readonly hostname: string;
  readonly hosts: string;
  readonly shm: string;
}

export interface MountRequest {
  readonly files: SandboxFiles;
  readonly own: readonly ContainerMount[];
  readonly privileged: boolean;
  readonly readonlyRoot: boolean;
  /** The pod's own user namespace. */
  readonly userns?: IdMappings | undefined;
  /** Whose network it uses; the pod's where not said. */
  readonly network?: 'pod' | 'node';
}

/**
 * All mounts of a container: the usual ones, the sandbox's files and its own. Own ones replace the others at the same
 * place, and the usual ones below it; parents come before children, whatever the order of asking.
 */
export function containerMounts(request: MountRequest): OciMount[] {
  const { files, own, readonlyRoot } = request;
  const taken = own.map((mount) => normalize(mount.containerPath));
  const usual = defaultMounts(request).filter(
    ({ destination }) => !taken.some((path) => destination === path || destination.startsWith(`${path}/`)),
  );
  const ofSandbox = sandboxMounts(files, readonlyRoot).filter(({ destination }) => !taken.includes(destination));
  const others = [...ofSandbox, ...own.map(bindMount)];
  return [...usual, ...others.sort((a, b) => depth(a.destination) - depth(b.destination))];
}

/** The mounts that every container has: the kernel's file systems and the usual /dev (runtime-spec, config-linux). */
function defaultMounts(request: MountRequest): OciMount[] {
  const mode = request.privileged ? 'rw' : 'ro';
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
      options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', ...ttyGroup(request)],
    },
    { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: ['nosuid', 'noexec', 'nodev'] },
    sysMount(request, mode),
    {
      destination: '/sys/fs/cgroup',
      type: 'cgroup',
      source: 'cgroup',
      options: ['nosuid', 'noexec', 'nodev', 'relatime', mode],
    },
  ];
}

const TTY_GROUP = 5;

/** A user namespace can be too small to have the group `tty`; terminals are of the group of their program then. */
function ttyGroup({ userns }: MountRequest): string[] {
  return userns === undefined || hasId(userns.gid, TTY_GROUP) ? [`gid=${TTY_GROUP}`] : [];
}

/**
 * sysfs shows a network namespace, and only who has a say in that can mount one. On the node's network root of a pod's own
 * user namespace has none: it sees the node's, with all that is mounted below, which nobody in there may change.
 */
function sysMount({ userns, network }: MountRequest, mode: string): OciMount {
  const options = ['nosuid', 'noexec', 'nodev'];
  if (userns !== undefined && network === 'node')
    return { destination: '/sys', type: 'bind', source: '/sys', options: ['rbind', 'rprivate', ...options, 'rro'] };
  return { destination: '/sys', type: 'sysfs', source: 'sysfs', options: [...options, mode] };
}

function sandboxMounts(files: SandboxFiles, readonlyRoot: boolean): OciMount[] {
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
  ];
}

const PROPAGATION: Readonly<Record<Propagation, string>> = {
  private: 'rprivate',
  'host-to-container': 'rslave',
  bidirectional: 'rshared',
};

function bindMount(mount: ContainerMount): OciMount {
  return {
    destination: mount.containerPath,
    type: 'bind',
    source: mount.hostPath,
    options: ['rbind', PROPAGATION[mount.propagation], access(mount)],
    ...ociMappings(mount.mappings),
  };
}

/** `ro` is of the mount alone, `rro` also of those below it (runtime-spec, config.md, "Linux mount options"). */
function access({ readonly, recursiveReadOnly }: ContainerMount): string {
  if (!readonly) return 'rw';
  return recursiveReadOnly ? 'rro' : 'ro';
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
  return posix.normalize(path).replace(/(.)\/$/, '$1');
}
