import { runtime } from '../../../api/cri/generated/api.cjs';
import { invalidArgument, unimplemented } from '../../base/errors.js';
import type { ContainerMount } from '../../oci/spec/mounts.js';
import { toIdMappings } from './id-mappings.js';
import { absolutePath, fromEnum } from './values.js';

const { MountPropagation } = runtime.v1;

const PROPAGATION = {
  [MountPropagation.PROPAGATION_PRIVATE]: 'private',
  [MountPropagation.PROPAGATION_HOST_TO_CONTAINER]: 'host-to-container',
  [MountPropagation.PROPAGATION_BIDIRECTIONAL]: 'bidirectional',
} as const;

const TO_CRI = {
  private: MountPropagation.PROPAGATION_PRIVATE,
  'host-to-container': MountPropagation.PROPAGATION_HOST_TO_CONTAINER,
  bidirectional: MountPropagation.PROPAGATION_BIDIRECTIONAL,
} as const;

/** @throws invalid-argument naming the field, also where `recursive_read_only` goes without what CRI asks for. */
export function toMount(mount: runtime.v1.IMount, index: number): ContainerMount {
  const field = `config.mounts[${index}]`;
  if (mount.image) throw unimplemented(`${field}.image is not served yet`);
  const mappings = toIdMappings(
    { uids: mount.uidMappings, gids: mount.gidMappings },
    { uids: `${field}.uidMappings`, gids: `${field}.gidMappings` },
  );
  if (mappings !== undefined) throw unimplemented(`${field}.uidMappings is not served yet`);
  const converted = {
    containerPath: absolutePath(mount.containerPath, `${field}.container_path`),
    hostPath: absolutePath(mount.hostPath, `${field}.host_path`),
    readonly: mount.readonly ?? false,
    propagation: fromEnum(PROPAGATION, mount.propagation, `${field}.propagation`),
    ...(mount.recursiveReadOnly ? { recursiveReadOnly: true } : {}),
    ...(mount.selinuxRelabel ? { selinuxRelabel: true } : {}),
  };
  checkRecursive(converted, `${field}.recursive_read_only`);
  return converted;
}

function checkRecursive({ recursiveReadOnly, readonly, propagation }: ContainerMount, field: string): void {
  if (!recursiveReadOnly) return;
  if (!readonly) throw invalidArgument(`${field} needs readonly`);
  if (propagation !== 'private') throw invalidArgument(`${field} needs PROPAGATION_PRIVATE`);
}

/** The mount as it was asked for. */
export function fromMount(mount: ContainerMount): runtime.v1.IMount {
  const { containerPath, hostPath, readonly, propagation, recursiveReadOnly, selinuxRelabel } = mount;
  return {
    ...{ containerPath, hostPath, readonly },
    propagation: TO_CRI[propagation],
    ...(recursiveReadOnly ? { recursiveReadOnly } : {}),
    ...(selinuxRelabel ? { selinuxRelabel } : {}),
  };
}
