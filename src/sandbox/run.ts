import { nowNs } from '../base/clock.js';
import { alreadyExists, wrapError } from '../base/errors.js';
import { newId } from '../base/ids.js';
import { removeUnmounted } from '../base/remove-unmounted.js';
import { endProcess, type ProcessIdentity } from '../base/sys/process.js';
import { unmount } from '../base/sys/sys.js';
import { withUndo, type UndoStack } from '../base/undo.js';
import { bandwidthOf } from './bandwidth.js';
import type { SandboxContext, SandboxNetwork } from './context.js';
import { mountShm, sandboxPaths, usernsOf, writeSandboxFiles, type SandboxPaths } from './files.js';
import { sandboxName } from './name.js';
import { dropNamespace, makeNamespaces, netnsPathOf } from './namespaces.js';
import { createPause } from './pause.js';
import { moveSandbox } from './state.js';
import { planSysctls, writeNetworkSysctls } from './sysctls.js';
import type { SandboxConfig, SandboxRecord } from './types.js';
import { watchPause } from './watch.js';

/**
 * Makes a sandbox and returns its id (CRI RunPodSandbox). A retry of the same request joins the operation under way,
 * or gets the sandbox that it made. Goes on when the caller goes away: kubelet asks again.
 * @throws already-exists for a name in use; not-found for an unknown handler; what failed, after undoing the rest.
 */
export async function runSandbox(
  context: SandboxContext,
  config: SandboxConfig,
  requestDigest: string,
): Promise<string> {
  const name = sandboxName(config.metadata);
  const holder = context.store.get(context.names.holder(name) ?? '');
  if (holder?.status.state === 'ready' && holder.record.requestDigest === requestDigest) return holder.record.id;
  return context.joins.run(name, requestDigest, async () => {
    if (config.userns !== undefined) await context.runtimes.require(config.runtimeHandler, 'userNamespaces');
    const record = await makeRecord(context, config, requestDigest);
    return context.locks.run(record.id, () => makeSandbox(context, record));
  });
}

/** A new record has what older ones lack. */
type NewRecord = SandboxRecord & Required<Pick<SandboxRecord, 'pause' | 'runtime' | 'stateDir'>>;

async function makeRecord(context: SandboxContext, config: SandboxConfig, requestDigest: string): Promise<NewRecord> {
  const id = newId();
  // Refused before anything is made.
  const made = context.runtimes.record(config.runtimeHandler);
  planSysctls(config);
  const ownNetwork = config.namespaces.network === 'pod';
  const used = context.store.list().flatMap(({ record }) => record.selinux ?? []);
  const selinux = await context.selinux.podLabels(config.selinux, used);
  const pause = await context.pause.choose().catch((error: unknown) => {
    throw wrapError(error, runningPod(config));
  });
  return {
    id,
    config,
    requestDigest,
    createdAt: nowNs(),
    ...made,
    stateDir: context.settings.stateDir,
    pause,
    ...(ownNetwork ? { netnsPath: netnsPathOf(context.settings.netnsDir, id) } : {}),
    cgroupParent: config.cgroupParent === '' ? context.settings.cgroupParent : config.cgroupParent,
    ...(selinux === undefined ? {} : { selinux }),
  };
}

async function makeSandbox(context: SandboxContext, record: NewRecord): Promise<string> {
  const { id, config } = record;
  const name = sandboxName(config.metadata);
  try {
    context.names.claim(name, id);
  } catch (error) {
    throw alreadyExists(`sandbox of pod ${config.metadata.namespace}/${config.metadata.name}`, error);
  }
  try {
    return await withUndo(context, (undo) => acquireAll(context, record, undo));
  } catch (error) {
    throw wrapError(error, runningPod(config));
  }
}

function runningPod({ metadata }: SandboxConfig): string {
  return `run sandbox of pod ${metadata.namespace}/${metadata.name}`;
}

/** Every step pushes its way back first: a step that fails may have done half its work. */
async function acquireAll(context: SandboxContext, record: NewRecord, undo: UndoStack): Promise<string> {
  const { id } = record;
  const paths = sandboxPaths(context.settings, record);
  undo.push('name', () => context.names.release(sandboxName(record.config.metadata), id));
  undo.push('record', () => context.store.delete(id), { afterAll: true });
  await context.store.create(record, { state: 'creating' });
  undo.push('files', () => removeUnmounted(paths.dir));
  await writeSandboxFiles(paths, record);
  await acquireNamespaces(record, paths, undo);
  const { pause, network } = await acquireNetworkAndPause(context, record, paths, undo);
  const { ips, result } = network;
  const cniResult = result === undefined ? {} : { cniResult: result };
  await context.store.update(id, (status) => moveSandbox(status, { state: 'ready', pause, ips, ...cniResult }));
  watchPause(context, id, pause);
  return id;
}

async function acquireNamespaces(record: SandboxRecord, paths: SandboxPaths, undo: UndoStack): Promise<void> {
  const { netnsPath, config } = record;
  const { userns: mappings } = config;
  if (netnsPath !== undefined) undo.push('network namespace', () => dropNamespace(netnsPath));
  if (mappings !== undefined) undo.push('user namespace', () => dropNamespace(paths.userns));
  await makeNamespaces({ netns: netnsPath, userns: paths.userns, mappings });
  if (config.namespaces.ipc === 'pod') {
    undo.push('shm', () => unmount(paths.shm, { detach: true }));
    await mountShm(paths.shm, { userns: mappings, label: record.selinux?.mount });
  }
}

/**
 * The CNI chain and the pause container's creation do not need each other, so they run side by side; both have ended
 * before anything is undone.
 */
async function acquireNetworkAndPause(
  context: SandboxContext,
  record: NewRecord,
  paths: SandboxPaths,
  undo: UndoStack,
): Promise<{ pause: ProcessIdentity; network: SandboxNetwork }> {
  const sysctls = planSysctls(record.config);
  const runtime = context.runtimes.of(record);
  undo.push('network', () => context.networks.tearDown(record.id, record.netnsPath));
  undo.push('pause root', () => context.pause.release({ id: record.id, rootfs: paths.rootfs }));
  undo.push('pause container', () => runtime.delete(record.id));
  const create = async (): Promise<ProcessIdentity> => {
    const root = {
      id: record.id,
      rootfs: paths.rootfs,
      dir: context.store.dirOf(record.id),
      userns: usernsOf(paths, record.config),
      label: record.selinux?.mount,
    };
    const program = await context.pause.prepare(root, record.pause);
    const { privileged } = record.config;
    const seccomp = await context.seccomp.filterFor(record.config.seccomp, { privileged, capabilities: [] });
    return createPause({ record, paths, program, sysctls, runtime, seccomp });
  };
  const [network, pause] = await Promise.allSettled([setUpNetwork(context, record), create()]);
  if (pause.status === 'fulfilled') undo.push('pause process', () => endProcess(pause.value));
  if (pause.status === 'rejected') throw pause.reason;
  if (network.status === 'rejected') throw network.reason;
  // After ADD, so that the pod's wish wins over a plugin's.
  if (record.netnsPath !== undefined) await writeNetworkSysctls(record.netnsPath, sysctls);
  await runtime.start(record.id);
  return { pause: pause.value, network: network.value };
}

async function setUpNetwork(context: SandboxContext, record: SandboxRecord): Promise<SandboxNetwork> {
  const { id, config, netnsPath, cgroupParent } = record;
  if (netnsPath === undefined) return { ips: [] };
  const { name, namespace, uid } = config.metadata;
  const bandwidth = bandwidthOf(config.annotations);
  return context.networks.setUp({
    ...{ sandboxId: id, netnsPath, name, namespace, uid, cgroupPath: cgroupParent },
    portMappings: config.portMappings,
    annotations: config.annotations,
    ...(config.dns === undefined ? {} : { dns: config.dns }),
    ...(bandwidth === undefined ? {} : { bandwidth }),
  });
}
