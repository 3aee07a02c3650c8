import { failedPrecondition } from '../../base/errors.js';
import { makeHostDirectory, realPaths, typesOfPaths } from '../../base/host-paths.js';
import { mountOf, readMountTable } from '../../base/mount-table.js';
import { relabel } from '../../oci/selinux/relabel.js';
import type { Runtimes } from '../../oci/runtimes.js';
import type { ContainerDevice } from '../../oci/spec/devices.js';
import type { ContainerMount } from '../../oci/spec/mounts.js';
import type { ContainerRecord } from './types.js';

interface HostParts extends Pick<ContainerRecord, 'handler' | 'config'> {
  /** The pod's; absent for a container without a log. */
  readonly logDirectory: string | undefined;
}

/**
 * Prepares what a container has of the host: the pod's log directory, a directory for a mount source that is missing, as
 * the peers do, sources that pass on the mounts that are to be seen, and those relabelled that the request says.
 * @param label the container's SELinux label of files, where it has one.
 * @throws invalid-argument where something else is in the way; failed-precondition for a source that is not shared;
 * unimplemented for what the handler cannot do; deadline-exceeded for a source that does not answer.
 */
export async function prepareHost(
  runtimes: Runtimes,
  { handler, logDirectory, config }: HostParts,
  label?: string,
): Promise<void> {
  const mounts = config.mounts.filter(({ image }) => image === undefined);
  if (mounts.some(({ recursiveReadOnly }) => recursiveReadOnly)) await runtimes.require(handler, 'recursiveReadOnly');
  if (mounts.some(({ mappings }) => mappings !== undefined)) await runtimes.require(handler, 'userNamespaces');
  const sources = [...new Set(mounts.map(({ hostPath }) => hostPath))];
  const logs = logDirectory === undefined ? [] : [logDirectory];
  const types = await typesOfPaths([...sources, ...logs], { what: 'mount source or log directory' });
  for (const path of sources) if (!types.has(path)) await makeHostDirectory(path, { what: 'mount source' });
  for (const path of logs)
    if (types.get(path) !== 'directory') await makeHostDirectory(path, { what: 'log directory' });
  await checkPropagation(mounts);
  if (label === undefined) return;
  for (const { hostPath, selinuxRelabel } of mounts) if (selinuxRelabel) await relabel(hostPath, label);
}

/**
 * Touches the devices' paths, so that whoever looks at them next need not fear a file system that hangs.
 * @throws deadline-exceeded naming the ones that do not answer.
 */
export async function checkDevicePaths(
  devices: readonly Pick<ContainerDevice, 'hostPath'>[],
  options: { readonly timeoutMs?: number } = {},
): Promise<void> {
  await typesOfPaths(devices.map(({ hostPath }) => hostPath), { what: 'device', ...options }); // prettier-ignore
}

/** mount_namespaces(7): a mount gives events only if it is shared, and takes them only if it is shared or a slave. */
async function checkPropagation(mounts: readonly ContainerMount[]): Promise<void> {
  const asked = mounts.filter(({ propagation }) => propagation !== 'private');
  if (asked.length === 0) return;
  const real = await realPaths(
    asked.map(({ hostPath }) => hostPath),
    { what: 'mount source' },
  );
  const table = await readMountTable();
  for (const { hostPath, propagation } of asked) {
    const entry = mountOf(table, real.get(hostPath) ?? hostPath);
    if (entry?.shared || (entry?.slave && propagation === 'host-to-container')) continue;
    const kind = propagation === 'bidirectional' ? 'a shared mount' : 'a shared or slave mount';
    throw failedPrecondition(`mount source ${hostPath} is on ${entry?.mountPoint ?? 'nothing'}, which is not ${kind}`);
  }
}
