import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { readText } from '../base/files.js';
import { internal } from '../base/errors.js';
import { lastId, ociMappings, type IdMapping } from '../base/id-mapping.js';
import { identify, type ProcessIdentity } from '../base/sys/process.js';
import { cgroupsPath } from '../oci/cgroup.js';
import type { OciRuntime } from '../oci/runtime.js';
import { isUnconfined } from '../oci/selinux/selinux.js';
import { ociAnnotations } from '../oci/spec/annotations.js';
import { allowedOomScoreAdj } from '../oci/spec/oom-score.js';
import { MASKED_PATHS, READONLY_PATHS } from '../oci/spec/paths.js';
import type { OciMount, OciNamespace, OciSeccomp, OciSpec } from '../oci/spec/types.js';
import { podFacts } from './annotations.js';
import { hostnameOf, type SandboxPaths } from './files.js';
import type { SysctlPlan } from './sysctls.js';
import type { SandboxRecord } from './types.js';

/** What the pause container runs, and what its root filesystem needs for that. */
export interface PauseProgram {
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly mounts: readonly OciMount[];
}

/** The built-in pause: an init program of the host, bound alone into an empty root filesystem. */
export function builtInPause(command: string): PauseProgram {
  const source: OciMount = {
    destination: '/pause',
    type: 'bind',
    source: command,
    options: ['bind', 'ro', 'rprivate'],
  };
  return { args: ['/pause', '-P'], env: [], mounts: [source] };
}

export interface PauseOptions {
  readonly record: SandboxRecord;
  readonly paths: SandboxPaths;
  readonly program: PauseProgram;
  readonly sysctls: SysctlPlan;
  readonly runtime: OciRuntime;
  readonly seccomp?: OciSeccomp | undefined;
}

const NOBODY = 65535;
const PAUSE_OOM_SCORE = -998;

/**
 * Has the runtime create the pause container, which holds the pod's namespaces; it has no monitor, since it has no
 * log, no stdin and no exit code that means anything.
 */
export async function createPause(options: PauseOptions): Promise<ProcessIdentity> {
  const { record, paths, runtime } = options;
  await writeFile(join(paths.dir, 'config.json'), JSON.stringify(pauseSpec(options)), { mode: 0o600 });
  await runtime.create(record.id, paths.dir);
  const pid = Number(await readText(join(paths.dir, 'pid')));
  const pause = identify(pid);
  if (pause === undefined) throw internal(`the pause process ${pid} of sandbox "${record.id}" ended at once`);
  return pause;
}

function pauseSpec(options: PauseOptions): OciSpec {
  const { record, program, sysctls, runtime, paths, seccomp } = options;
  const hostNetwork = record.config.namespaces.network === 'node';
  return {
    ociVersion: '1.0.2',
    process: {
      terminal: false,
      user: { uid: nobodyOf(record.config.userns?.uid), gid: nobodyOf(record.config.userns?.gid) },
      args: program.args,
      env: program.env,
      cwd: '/',
      capabilities: { bounding: [], effective: [], permitted: [] },
      noNewPrivileges: true,
      oomScoreAdj: allowedOomScoreAdj(PAUSE_OOM_SCORE),
      ...processLabel(record),
    },
    root: { path: paths.rootfs, readonly: true },
    ...(hostNetwork ? {} : { hostname: hostnameOf(record.config, record.id) }),
    mounts: [...PAUSE_MOUNTS, ...program.mounts],
    annotations: ociAnnotations(
      { pod: record.config.annotations, facts: podFacts(record, 'sandbox') },
      runtime.options.annotations,
    ),
    linux: {
      namespaces: pauseNamespaces(record, paths),
      ...ociMappings(record.config.userns),
      cgroupsPath: cgroupsPath(runtime.options.cgroupDriver, record.cgroupParent, record.id),
      devices: [],
      resources: { devices: [{ allow: false, access: 'rwm' }], cpu: { shares: 2 } },
      maskedPaths: MASKED_PATHS,
      readonlyPaths: READONLY_PATHS,
      ...(seccomp === undefined ? {} : { seccomp }),
      ...(record.selinux === undefined ? {} : { mountLabel: record.selinux.mount }),
      ...(Object.keys(sysctls.runtime).length === 0 ? {} : { sysctl: sysctls.runtime }),
    },
  };
}

/** The last id of a user namespace that does not have the usual one. */
function nobodyOf(mapping: IdMapping | undefined): number {
  return mapping === undefined ? NOBODY : Math.min(NOBODY, lastId(mapping));
}

function processLabel({ selinux, config }: SandboxRecord): { readonly selinuxLabel?: string } {
  const unconfined = isUnconfined(config.namespaces, { privileged: config.privileged, options: config.selinux });
  return selinux === undefined || unconfined ? {} : { selinuxLabel: selinux.process };
}

const PAUSE_MOUNTS: readonly OciMount[] = [
  { destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'noexec', 'nodev'] },
  { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'noexec', 'mode=755', 'size=64k'] },
];

/** Makes what the pod's containers will join; a namespace of the node's is left out. */
function pauseNamespaces(
  { config: { namespaces, userns }, netnsPath }: SandboxRecord,
  paths: SandboxPaths,
): OciNamespace[] {
  const list: OciNamespace[] = [{ type: 'mount' }];
  if (userns !== undefined) list.push({ type: 'user', path: paths.userns });
  if (namespaces.pid !== 'node') list.push({ type: 'pid' });
  if (namespaces.ipc === 'pod') list.push({ type: 'ipc' });
  if (netnsPath !== undefined) list.push({ type: 'network', path: netnsPath }, { type: 'uts' });
  return list;
}
