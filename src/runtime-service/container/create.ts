import { failedPrecondition, wrapError } from '../../base/errors.js';
import { ensureDirectory } from '../../base/files.js';
import { removeUnmounted } from '../../base/remove-unmounted.js';
import { withUndo, type UndoStack } from '../../base/undo.js';
import { removeLeftCgroup } from '../../oci/cgroup.js';
import type { ImageSource } from '../../oci/spec/mounts.js';
import { ensurePodDirectory } from '../../sandbox/files.js';
import type { Sandbox } from '../../sandbox/store.js';
import { readyPause } from './bundle.js';
import type { ContainerContext, ContainerImage, ContainerImages } from './context.js';
import { orSandboxEnded } from './ended-meanwhile.js';
import { makeProcesses } from './make-processes.js';
import { containerName } from './name.js';
import { containerPaths } from './paths.js';
import { logPlace, makeRecord } from './record.js';
import { moveContainer } from './state.js';
import type { Container } from './store.js';
import type { ContainerConfig, ContainerRecord, VolumeImage } from './types.js';
import { imageVolumeError, unmountVolumes } from './volumes.js';

/**
 * Makes a container in a sandbox and returns its id (CRI CreateContainer): root filesystem, OCI configuration, and the
 * runtime's `create` under conmon. A retry of the same request joins the operation under way. What only its image, or the
 * runtime, says against its process is for StartContainer to tell: a pod that must not be restarted would else wait for ever.
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
  if (holder !== undefined && isNew(holder) && holder.record.requestDigest === requestDigest) return holder.record.id;
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

function isNew({ status }: Container): boolean {
  return status.state === 'created' || status.state === 'unstartable';
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
  const { cgroupDriver } = context.runtimes.of(record).options;
  undo.push('cgroup', () => removeLeftCgroup(cgroupDriver, sandbox.record.cgroupParent, id));
  const made = await makeProcesses(context, { record, sandbox: sandbox.record, image, paths, labels, log }, undo);
  await context.store.update(id, (status) => moveContainer(status, made));
  // Stopped meanwhile: StopPodSandbox has seen no container of that sandbox to end.
  readyPause(context, record.sandboxId);
  if (made.state === 'created') context.exits.watch(record, made.processes);
}
