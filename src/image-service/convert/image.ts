import type { runtime } from '../../../api/cri/generated/api.cjs';
import Long from 'long';

import type { ImageRecord } from '../types.js';

/** An image as CRI has it. `uid` or `username` come from the image's user, without its group (CRI, Image). */
export function imageToCri(image: ImageRecord, pinned: boolean): runtime.v1.IImage {
  return {
    id: image.id,
    repoTags: [...image.repoTags],
    repoDigests: [...image.repoDigests],
    // kubelet takes an image without a size for a broken one, and an image without layers has none.
    size: Long.fromNumber(Math.max(image.size, 1), true),
    pinned,
    spec: { image: image.id, annotations: { ...image.annotations } },
    ...userToCri(image.config.user),
  };
}

function userToCri(user: string): runtime.v1.IImage {
  const [name = ''] = user.split(':');
  if (/^[0-9]{1,18}$/.test(name)) return { uid: { value: Long.fromString(name) } };
  return { username: name };
}
