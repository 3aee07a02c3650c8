import { posix } from 'node:path';

import { runtime } from '../../../api/cri/generated/api.cjs';
import { invalidArgument } from '../../base/errors.js';
import type { ContainerMount, ImageSource } from '../../oci/spec/mounts.js';
import { toIdMappings } from './id-mappings.js';
import { absolutePath, fromEnum, required } from './values.js';

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
  const mappings = toIdMappings(
    { uids: mount.uidMappings, gids: mount.gidMappings },
    { uids: `${field}.uidMappings`, gids: `${field}.gidMappings` },
  );
  const converted = {
    containerPath: mountPoint(mount.containerPath, `${field}.container_path`),
    ...toSource(mount, field),
    readonly: mount.readonly ?? false,
    propagation: fromEnum(PROPAGATION, mount.propagation, `${field}.propagation`),
    ...(mount.recursiveReadOnly ? { recursiveReadOnly: true } : {}),
    ...(mount.selinuxRelabel ? { selinuxRelabel: true } : {}),
    ...(mappings === undefined ? {} : { mappings }),
  };
  checkRecursive(converted, `${field}.recursive_read_only`);
  return converted;
}

/** Over the root there would be no container of the image. */
function mountPoint(path: string | null | undefined, field: string): string {
  const point = absolutePath(path, field);
  if (posix.resolve(point) === '/') throw invalidArgument(`${field} is the container's root: "${point}"`);
  return point;
}

function toSource(mount: runtime.v1.IMount, field: string): Pick<ContainerMount, 'hostPath' | 'image'> {
  // kubelet sets image_sub_path of mounts from the host, too.
  if (!mount.image) return { hostPath: absolutePath(mount.hostPath, `${field}.host_path`) };
  const subPath = mount.imageSubPath ?? '';
  const { image, userSpecifiedImage } = mount.image;
  if (mount.hostPath) throw invalidArgument(`${field}: host_path and image are both set`);
  if (subPath.startsWith('/') || /\0|(^|\/)\.\.(\/|$)/.test(subPath))
    throw invalidArgument(`${field}.image_sub_path is no path below an image: "${subPath}"`);
  const name = required(image, `${field}.image.image`);
  return { hostPath: '', image: { image: name, userSpecifiedImage: userSpecifiedImage ?? '', subPath } };
}

function checkRecursive({ recursiveReadOnly, readonly, propagation }: ContainerMount, field: string): void {
  if (!recursiveReadOnly) return;
  if (!readonly) throw invalidArgument(`${field} needs readonly`);
  if (propagation !== 'private') throw invalidArgument(`${field} needs PROPAGATION_PRIVATE`);
}

/** The mounts as they were asked for, with what their images stood for. */
export function fromMounts(
  mounts: readonly ContainerMount[],
  volumeImages: readonly { readonly imageId: string }[],
): runtime.v1.IMount[] {
  const images = [...volumeImages];
  return mounts.map((mount) => fromMount(mount, mount.image === undefined ? undefined : images.shift()?.imageId));
}

function fromMount(mount: ContainerMount, imageId: string | undefined): runtime.v1.IMount {
  const { containerPath, hostPath, readonly, propagation, recursiveReadOnly, selinuxRelabel, mappings, image } = mount;
  return {
    ...{ containerPath, hostPath, readonly },
    propagation: TO_CRI[propagation],
    ...(recursiveReadOnly ? { recursiveReadOnly } : {}),
    ...(selinuxRelabel ? { selinuxRelabel } : {}),
    ...(mappings === undefined ? {} : { uidMappings: [mappings.uid], gidMappings: [mappings.gid] }),
    ...(image === undefined ? {} : fromImage(image, imageId ?? '')),
  };
}

function fromImage({ image, userSpecifiedImage, subPath }: ImageSource, imageId: string): runtime.v1.IMount {
  return { image: { image, userSpecifiedImage, imageRef: imageId }, imageSubPath: subPath };
}
