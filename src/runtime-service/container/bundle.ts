import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { failedPrecondition } from '../../base/errors.js';
import type { ProcessIdentity } from '../../base/sys/process.js';
import type { SelinuxLabels } from '../../oci/selinux/label.js';
import { checkAccountFiles, homeOf } from '../../oci/spec/account-files.js';
import { ContainerView } from '../../oci/spec/container-view.js';
import { containerMounts, type ContainerMount } from '../../oci/spec/mounts.js';
import type { OciProcess, OciSpec } from '../../oci/spec/types.js';
import { resolveUser } from '../../oci/spec/user.js';
import { sandboxPaths, usernsOf } from '../../sandbox/files.js';
import type { SandboxRecord } from '../../sandbox/types.js';
import { checkUserIds } from './check-user-ids.js';
import { confine } from './confine.js';
import type { ContainerContext, ContainerImage } from './context.js';
import { checkDevicePaths } from './host-mounts.js';
import type { ContainerPaths } from './paths.js';
import { containerSpec } from './spec.js';
import type { ContainerRecord } from './types.js';
import { prepareVolumes } from './volumes.js';

export interface BundleParts {
  readonly record: ContainerRecord;
  readonly sandbox: SandboxRecord;
  readonly image: ContainerImage;
  readonly paths: ContainerPaths;
  readonly labels: SelinuxLabels | undefined;
}

/**
 * What the runtime is given: the root filesystem and the OCI configuration. Returns what init is to be.
 * @throws unstartable where the image makes that impossible.
 */
export async function prepareBundle(context: ContainerContext, parts: BundleParts): Promise<OciProcess> {
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

/** The pause process of a sandbox that can take containers. */
export function readyPause(context: ContainerContext, sandboxId: string): ProcessIdentity {
  const { status } = context.sandboxes.find(sandboxId);
  if (status.state === 'ready') return status.pause;
  throw failedPrecondition(`sandbox "${sandboxId}" is not ready: its state is ${status.state}`);
}

async function writeSpec(
  context: ContainerContext,
  { record, sandbox, image, paths, labels, mounts }: BundleParts & { readonly mounts: readonly ContainerMount[] },
): Promise<OciProcess> {
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
  const confinement = await confine(context.confiners, security);
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
    confinement,
    labels,
    own: mounts,
    mounts: all,
    rootfs: paths.rootfs,
    runtime: context.runtimes.of(record),
  });
  await writeBundle(paths, spec);
  return spec.process;
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
