import type { runtime } from '../../../api/cri/generated/api.cjs';

import { authFromCri } from '../convert/auth.js';
import type { ImageService } from '../image-service.js';
import type { ImageCall } from './context.js';
import { requiredImage } from './required-image.js';

/** Pulls an image and answers with its id, which is its name in all other RPCs too. */
export async function pullImage(
  service: ImageService,
  request: runtime.v1.PullImageRequest,
  { signal }: ImageCall,
): Promise<runtime.v1.IPullImageResponse> {
  const { id } = await service.pull(requiredImage(request), { auth: authFromCri(request.auth), signal });
  return { imageRef: id };
}
