import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { failedPrecondition, internal, wrapError } from '../../base/errors.js';
import { ensureDirectory } from '../../base/files.js';
import { settleAll } from '../../base/settle-all.js';
import { removeUnmounted } from '../../base/remove-unmounted.js';
import { toHostUser } from '../../base/id-mapping.js';
import { giveStreamsOf } from '../../base/sys/give-streams.js';
import type { ProcessIdentity } from '../../base/sys/process.js';
import { withUndo, type UndoStack } from '../../base/undo.js';
import { cgroupDirsOf, removeLeftCgroup } from '../../oci/cgroup.js';
import { oomKillsIn, sliceOf } from '../../oci/oom-kills.js';
import type { LogPlace } from '../../oci/monitor-log.js';
import type { SelinuxLabels } from '../../oci/selinux/label.js';
import { checkAccountFiles, homeOf } from '../../oci/spec/account-files.js';
import { ContainerView } from '../../oci/spec/container-view.js';
import { containerMounts, type ContainerMount, type ImageSource } from '../../oci/spec/mounts.js';
import type { OciSpec, OciUser } from '../../oci/spec/types.js';
import { resolveUser } from '../../oci/spec/user.js';
import { ensurePodDirectory, sandboxPaths, usernsOf } from '../../sandbox/files.js';
import type { Sandbox } from '../../sandbox/store.js';
import type { SandboxRecord } from '../../sandbox/types.js';
import { checkUserIds } from './check-user-ids.js';
import { confine } from './confine.js';
import type { ContainerContext, ContainerImage, ContainerImages } from './context.js';
import { orSandboxEnded } from './ended-meanwhile.js';
import { checkDevicePaths, prepareHost } from './host-mounts.js';
import { endProcesses } from './kill.js';
import { containerName } from './name.js';
import { containerPaths, type ContainerPaths } from './paths.js';
import { logPlace, makeRecord } from './record.js';
import { containerSpec } from './spec.js';
import { moveContainer } from './state.js';
import type { ContainerConfig, ContainerProcesses, ContainerRecord, VolumeImage } from './types.js';
import { imageVolumeError, prepareVolumes, unmountVolumes } from './volumes.js';

/**
 * Makes a container in a sandbox and returns its id (CRI CreateContainer): root filesystem, OCI configuration, and the
 * runtime's `create` under conmon. A retry of the same request joins the operation under way.
 * @throws not-found for the sandbox or the image; failed-precondition if the sandbox is not ready; already-exists for a
 * name in use; what failed, after undoing the rest.
 */
export async function createContainer(
  context: ContainerContext,
  request: { readonly sandboxId: string; readonly config: ContainerConfig; readonly digest: string },
): Promise<string> {
  const { config, digest } = request;
  const sandbox = context.sandboxes.find(request.sandboxId);
  const name = containerName(config.metadata, sandbox.record.config.metadata);
  // The name has the pod in it but not the sandbox, of which a pod may have had several.
  const requestDigest = `${sandbox.record.id} ${digest}`;
  const holder = context.store.get(context.names.holder(name) ?? '');
  if (holder?.status.state === 'created' && holder.record.requestDigest === requestDigest) return holder.record.id;
  return context.joins.run(name, requestDigest, async () => {
    readyPause(context, sandbox.record.id);
    const image = context.images.resolve(config.image);
    if (image.artifactType !== undefined)
      throw failedPrecondition(`image "${config.image}" is an OCI artifact, which cannot be run`);
    const imageNames = context.images.namesOf(image.id, config.userSpecifiedImage || config.image);
    const volumeImages = config.mounts.flatMap((mount) =>
      mount.image === undefined ? [] : [volumeImage(context.images, mount.image, mount.containerPath)],
    );
    const record = makeRecord({
      name,
      config,
      sandbox: sandbox.record,
      image,
      imageNames,
      volumeImages,
      requestDigest,
      made: context.runtimes.record(sandbox.record.handler),
      stateDir: context.stateDir,
    });
    context.names.claim(name, record.id);
    return context.locks.run(record.id, () => make(context, { record, sandbox, image }));
  });
}

function volumeImage(
  images: ContainerImages,
  { image, userSpecifiedImage }: ImageSource,
  containerPath: string,
): VolumeImage {
  try {
    const { id } = images.resolve(image);
    return { imageId: id, imageRef: images.namesOf(id, userSpecifiedImage || image).digested };
  } catch (error) {
    throw imageVolumeError(error, containerPath);
  }
}

interface Making {
  readonly record: ContainerRecord;
  readonly sandbox: Sandbox;
  readonly image: ContainerImage;
}

async function make(context: ContainerContext, making: Making): Promise<string> {
  const { record, sandbox } = making;
  const { id, name } = record;
  try {
    return await withUndo(context, async (undo) => {
      undo.push('name', () => context.names.release(name, id));
      await acquireAll(context, making, undo);
      return id;
    });
  } catch (error) {
    const reason = orSandboxEnded(error, context, sandbox.record.id);
    throw wrapError(reason, `create container "${record.config.metadata.name}" in sandbox "${sandbox.record.id}"`);
  }
}

/** Every step pushes its way back first: a step that fails may have done half its work. */
async function acquireAll(
  context: ContainerContext,
  { record, sandbox, image }: Making,
  undo: UndoStack,
): Promise<void> {
  const { id } = record;
  const paths = containerPaths(context, record);
  undo.push('record', () => context.store.delete(id), { afterAll: true });
  await context.store.create(record, { state: 'creating' });
  undo.push('bundle', () => removeUnmounted(paths.bundle));
  const labels = await context.confiners.selinux.containerLabels(
    record.config.security.selinux,
    sandbox.record.selinux,
  );
  await ensurePodDirectory(paths.bundle, sandbox.record.config.userns);
  await ensureDirectory(paths.rootfs, 0o755);
  undo.push('rootfs', () => context.images.unmountRootfs({ owner: id, target: paths.rootfs }));
  undo.push('volumes', () => unmountVolumes(paths.volumes));
  const log = logPlace(record, sandbox.record);
  const [user] = await settleAll<[OciUser, unknown]>([
    prepareBundle(context, { record, sandbox: sandbox.record, image, paths, labels }),
    prepareHost(context.runtimes, { ...record, logDirectory: log?.directory }, labels?.mount),
  ]);
  const { cgroupDriver } = context.runtimes.of(record).options;
  undo.push('cgroup', () => removeLeftCgroup(cgroupDriver, sandbox.record.cgroupParent, id));
  const processes = await createProcesses(context, { record, bundle: paths.bundle, log }, undo);
  // conmon's pipes are root's, and runc cannot give them away itself in a user namespace that root is not in.
  giveStreamsOf(processes.init, toHostUser(user, sandbox.record.config.userns));
  await context.store.update(id, (status) => moveContainer(status, { state: 'created', processes, user }));
  // Stopped meanwhile: StopPodSandbox has seen no container of that sandbox to end.
  readyPause(context, record.sandboxId);
  context.exits.watch(record, processes);
}

/** What the runtime is given: the root filesystem and the OCI configuration, which names the user. */
async function prepareBundle(context: ContainerContext, parts: SpecParts): Promise<OciUser> {
  const { record, sandbox, image, paths } = parts;
  const writable = context.store.dirOf(record.id);
  const userns = usernsOf(sandboxPaths(context, sandbox), sandbox.config);
  const { labels } = parts;
  const label = labels?.mount;
  const rootfs = { imageId: image.id, owner: record.id, target: paths.rootfs, writable, userns, label };
  await context.images.mountRootfs(rootfs);
  const mounts = await prepareVolumes(context, { ...parts, userns, label });
  return writeSpec(context, { ...parts, mounts });
}

async function createProcesses(
  context: ContainerContext,
  {
    record,
    bundle,
    log,
  }: { readonly record: ContainerRecord; readonly bundle: string; readonly log?: LogPlace | undefined },
  undo: UndoStack,
): Promise<ContainerProcesses> {
  const { id, sandboxId, name } = record;
  const { stdin, stdinOnce, tty } = record.config;
  const runtime = context.runtimes.of(record);
  undo.push('runtime', () => runtime.delete(id));
  // Nothing ends the input of a terminal (CRI stdin_once), as with the peers.
  const io = { log, terminal: tty, stdin, leaveStdinOpen: stdin && (tty || !stdinOnce) };
  const monitored = await context.monitor.create(
    { id, sandboxId, name, bundle, persistDir: context.store.dirOf(id), ...io },
    runtime,
  );
  undo.push('processes', () => endProcesses(monitored));
  const cgroupDir = cgroupDirOf(monitored.init, id);
  const slice = sliceOf(cgroupDir);
  const sliceOomKills = slice === undefined ? undefined : await oomKillsIn(slice);
  return { ...monitored, cgroupDir, ...(sliceOomKills === undefined ? {} : { sliceOomKills }) };
}

/** The pause process of a sandbox that can take containers. */
function readyPause(context: ContainerContext, sandboxId: string): ProcessIdentity {
  const { status } = context.sandboxes.find(sandboxId);
  if (status.state === 'ready') return status.pause;
  throw failedPrecondition(`sandbox "${sandboxId}" is not ready: its state is ${status.state}`);
}

interface SpecParts {
  readonly record: ContainerRecord;
  readonly sandbox: SandboxRecord;
  readonly image: ContainerImage;
  readonly paths: ContainerPaths;
  readonly labels: SelinuxLabels | undefined;
}

/** Returns whom the configuration has init start as. */
async function writeSpec(
  context: ContainerContext,
  { record, sandbox, image, paths, labels, mounts }: SpecParts & { readonly mounts: readonly ContainerMount[] },
): Promise<OciUser> {
  const files = sandboxPaths(context, sandbox);
  const { security } = record.config;
  await checkDevicePaths(record.config.devices);
  const shared = { ...files, shm: sandbox.config.namespaces.ipc === 'pod' ? files.shm : '/dev/shm' };
  const all = containerMounts({
    ...{ files: shared, own: mounts, privileged: security.privileged },
    readonlyRoot: security.readonlyRootfs,
    userns: sandbox.config.userns,
    network: sandbox.config.namespaces.network,
  });
  const view = new ContainerView(paths.rootfs, all);
  await checkAccountFiles(view);
  const user = await resolveUser(paths.rootfs, { ...security, imageUser: image.config.user });
  checkUserIds(user, { asked: security, userns: sandbox.config.userns });
  const spec = containerSpec({
    record,
    sandbox,
    pause: readyPause(context, sandbox.id),
    ...(security.pid === 'target' ? { target: targetInit(context, record) } : {}),
    image,
    user,
    home: await homeOf(view, paths.rootfs, user.uid),
    confinement: await confine(context.confiners, security),
    labels,
    own: mounts,
    mounts: all,
    rootfs: paths.rootfs,
    runtime: context.runtimes.of(record),
  });
  await writeBundle(paths, spec);
  return user;
}

/** The configuration, and apart from it its small part that every command in the container needs. */
async function writeBundle({ bundle, process }: ContainerPaths, spec: OciSpec): Promise<void> {
  const files = [
    [join(bundle, 'config.json'), spec],
    [process, spec.process],
  ] as const;
  await Promise.all(files.map(([path, content]) => writeFile(path, JSON.stringify(content), { mode: 0o600 })));
}

/** CRI NamespaceMode TARGET: the pid namespace of a running container of the same sandbox. */
function targetInit(context: ContainerContext, record: ContainerRecord): ProcessIdentity {
  const { targetId } = record.config.security;
  const target = context.store.find(targetId);
  if (target.record.sandboxId !== record.sandboxId)
    throw failedPrecondition(`container "${targetId}" is of another sandbox`);
  if (target.status.state !== 'running') throw failedPrecondition(`container "${targetId}" does not run`);
  return target.status.processes.init;
}

function cgroupDirOf(init: ProcessIdentity, id: string): string {
  const dir = cgroupDirsOf(init.pid).find((path) => path.includes(id));
  if (dir === undefined) throw internal(`the init process ${init.pid} of container "${id}" is in no cgroup of its own`);
  return dir;
}
