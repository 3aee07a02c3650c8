import type { runtime } from '../../../api/cri/generated/api.cjs';

import type { ImageService } from '../image-service.js';
import { requiredImage } from './required-image.js';

/** Removes an image with all its names; one that is not here is fine (CRI, RemoveImage). */
export async function removeImage(
  service: ImageService,
  request: runtime.v1.RemoveImageRequest,
): Promise<runtime.v1.IRemoveImageResponse> {
  await service.remove(requiredImage(request));
  return {};
}
