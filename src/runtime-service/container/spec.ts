import { posix } from 'node:path';

import { unstartable } from '../../base/errors.js';
import type { ProcessIdentity } from '../../base/sys/process.js';
import { ociMappings } from '../../base/id-mapping.js';
import { cgroupAbilities } from '../../oci/cgroup-abilities.js';
import { cgroupsPath, isCgroupV2 } from '../../oci/cgroup.js';
import type { OciRuntime } from '../../oci/runtime.js';
import type { SelinuxLabels } from '../../oci/selinux/label.js';
import { isUnconfined } from '../../oci/selinux/selinux.js';
import { ociAnnotations } from '../../oci/spec/annotations.js';
import { planDevices } from '../../oci/spec/devices.js';
import { rootfsPropagation, type ContainerMount } from '../../oci/spec/mounts.js';
import { allowedOomScoreAdj } from '../../oci/spec/oom-score.js';
import { MASKED_PATHS, READONLY_PATHS } from '../../oci/spec/paths.js';
import { inheritedRlimits } from '../../oci/spec/rlimits.js';
import { fitResources, ociResources } from '../../oci/spec/resources.js';
import type { OciMount, OciNamespace, OciProcess, OciResources, OciSpec, OciUser } from '../../oci/spec/types.js';
import { podFacts } from '../../sandbox/annotations.js';
import { hostnameOf } from '../../sandbox/files.js';
import type { SandboxRecord } from '../../sandbox/types.js';
import type { Confinement } from './confine.js';
import type { ContainerImage } from './context.js';
import type { ContainerRecord } from './types.js';

export interface SpecInput {
  readonly record: ContainerRecord;
  readonly sandbox: SandboxRecord;
  readonly pause: ProcessIdentity;
  /** Init of the container whose pid namespace is joined (CRI NamespaceMode TARGET). */
  readonly target?: ProcessIdentity;
  readonly image: ContainerImage;
  readonly user: OciUser;
  /** Where the environment names no HOME. */
  readonly home: string;
  readonly confinement: Confinement;
  /** Absent where none are set. */
  readonly labels?: SelinuxLabels | undefined;
  /** Its own mounts, all with paths of the host. */
  readonly own: readonly ContainerMount[];
  /** All mounts, as {@link containerMounts} has them. */
  readonly mounts: readonly OciMount[];
  readonly rootfs: string;
  readonly runtime: OciRuntime;
}

/** The OCI configuration of a container. */
export function containerSpec(input: SpecInput): OciSpec {
  const { config } = input.record;
  const { security } = config;
  const { seccomp } = input.confinement;
  const { privileged } = security;
  const devices = planDevices(config.devices, privileged);
  const resources = fitResources(config.resources, cgroupAbilities(), 'config.linux.resources');
  return {
    ociVersion: '1.0.2',
    process: containerProcess(input),
    root: { path: input.rootfs, readonly: security.readonlyRootfs },
    mounts: input.mounts,
    annotations: containerAnnotations(input),
    linux: {
      namespaces: containerNamespaces(input),
      ...ociMappings(input.sandbox.config.userns),
      cgroupsPath: cgroupsPath(input.runtime.options.cgroupDriver, input.sandbox.cgroupParent, input.record.id),
      devices: devices.devices,
      resources: { ...ociResources(resources, devices.rules), ...pidsOf(input) },
      maskedPaths: privileged ? [] : (security.maskedPaths ?? MASKED_PATHS),
      readonlyPaths: privileged ? [] : (security.readonlyPaths ?? READONLY_PATHS),
      rootfsPropagation: rootfsPropagation(input.own),
      ...(seccomp === undefined ? {} : { seccomp }),
      ...(input.labels === undefined ? {} : { mountLabel: input.labels.mount }),
    },
  };
}

function containerAnnotations({ record: { config }, sandbox, runtime }: SpecInput): OciSpec['annotations'] {
  const facts = {
    ...podFacts(sandbox, 'container'),
    'io.kubernetes.cri.container-name': config.metadata.name,
    'io.kubernetes.cri.image-name': config.userSpecifiedImage || config.image,
  };
  const source = { pod: sandbox.config.annotations, container: config.annotations, facts };
  return ociAnnotations(source, runtime.options.annotations);
}

function containerProcess(input: SpecInput): OciProcess {
  const { record, image, user, confinement } = input;
  const { config } = record;
  return {
    terminal: config.tty,
    user,
    args: withoutNul(commandLine(input), { image, what: 'command' }),
    env: environment(input),
    cwd:
      config.workingDir ||
      posix.join('/', ...withoutNul([image.config.workingDir], { image, what: 'working directory' })),
    capabilities: confinement.capabilities,
    ...(confinement.apparmor === undefined ? {} : { apparmorProfile: confinement.apparmor }),
    ...processLabel(input),
    noNewPrivileges: config.security.noNewPrivileges,
    oomScoreAdj: allowedOomScoreAdj(config.resources.oomScoreAdj),
    rlimits: inheritedRlimits(),
  };
}

/**
 * systemd gives a scope a limit of its own (DefaultTasksMax, 15 % of what the node can have), which nobody has asked for:
 * kubelet limits pods. The kernel's PID_MAX_LIMIT is none.
 */
function pidsOf({ runtime, record }: SpecInput): Pick<OciResources, 'pids'> {
  const asked = 'pids.max' in record.config.resources.unified;
  return runtime.options.cgroupDriver === 'systemd' && !asked ? { pids: { limit: 4_194_304 } } : {};
}

function processLabel({ labels, record, sandbox }: SpecInput): Pick<OciProcess, 'selinuxLabel'> {
  const { privileged, selinux: options, pid } = record.config.security;
  const unconfined = isUnconfined({ pid, ipc: sandbox.config.namespaces.ipc }, { privileged, options });
  return labels === undefined || unconfined ? {} : { selinuxLabel: labels.process };
}

/** CRI: `command` replaces the image's entrypoint and its arguments, `args` only the arguments. */
function commandLine({ record: { config }, image }: SpecInput): string[] {
  const { command, args } = config;
  const entrypoint = command.length > 0 ? command : image.config.entrypoint;
  const usual = command.length > 0 ? [] : image.config.cmd;
  const line = [...entrypoint, ...(args.length > 0 ? args : usual)];
  if (line.length === 0)
    throw unstartable(`container "${config.metadata.name}": no command, and image ${image.id} has none`);
  return line;
}

/** A request has none: the server refuses it. */
function withoutNul(
  texts: string[],
  { image, what }: { readonly image: ContainerImage; readonly what: string },
): string[] {
  if (texts.some((text) => text.includes('\0'))) throw unstartable(`the ${what} of image ${image.id} has a NUL`);
  return texts;
}

const DEFAULT_PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * The image's environment under the request's; the last of two settings wins. It always has a HOME: without one, or with an
 * empty one, the runtime would look for it in the container's /etc/passwd, which may be anything by then.
 */
function environment({ record: { config }, image, sandbox, home }: SpecInput): string[] {
  const all = [DEFAULT_PATH, `HOSTNAME=${hostnameOf(sandbox.config, sandbox.id)}`];
  if (config.tty) all.push('TERM=xterm');
  all.push(...image.config.env, ...config.env.map(({ key, value }) => `${key}=${value}`));
  const set = new Map(all.map((entry) => [entry.split('=', 1)[0], entry]));
  if ((set.get('HOME') ?? 'HOME=') === 'HOME=') set.set('HOME', `HOME=${home}`);
  return [...set.values()];
}

function containerNamespaces({ record, sandbox, pause, target }: SpecInput): OciNamespace[] {
  const { namespaces, userns } = sandbox.config;
  const join = (type: OciNamespace['type'], { pid }: ProcessIdentity): OciNamespace => ({
    type,
    path: `/proc/${pid}/ns/${NS_FILES[type]}`,
  });
  const list: OciNamespace[] = [{ type: 'mount' }];
  if (userns !== undefined) list.push(join('user', pause));
  if (namespaces.ipc === 'pod') list.push(join('ipc', pause));
  if (sandbox.netnsPath !== undefined) list.push({ type: 'network', path: sandbox.netnsPath }, join('uts', pause));
  if (record.config.security.pid === 'container') list.push({ type: 'pid' });
  if (record.config.security.pid === 'pod') list.push(join('pid', pause));
  if (target !== undefined) list.push(join('pid', target));
  // Root of a user namespace has no say in cgroups but those of its own namespace.
  if (isCgroupV2() && (!record.config.security.privileged || userns !== undefined)) list.push({ type: 'cgroup' });
  return list;
}

const NS_FILES: Readonly<Record<OciNamespace['type'], string>> = {
  pid: 'pid',
  network: 'net',
  ipc: 'ipc',
  uts: 'uts',
  mount: 'mnt',
  cgroup: 'cgroup',
  user: 'user',
};
