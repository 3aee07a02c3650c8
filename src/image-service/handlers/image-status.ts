import type { runtime } from '../../../api/cri/generated/api.cjs';

import { imageToCri } from '../convert/image.js';
import type { ImageService } from '../image-service.js';
import { requiredImage } from './required-image.js';

/** One image; an answer without image if it is not here (CRI, ImageStatus). `verbose` adds its OCI configuration. */
export function imageStatus(
  service: ImageService,
  request: runtime.v1.ImageStatusRequest,
): runtime.v1.IImageStatusResponse {
  const image = service.find(requiredImage(request));
  if (image === undefined) return {};
  const info = { info: `{"chainIDs":${JSON.stringify(image.chain)},"imageSpec":${image.configJson}}` };
  return { image: imageToCri(image, service.isPinned(image)), ...(request.verbose ? { info } : {}) };
}
