import type { runtime } from '../../../api/cri/generated/api.cjs';

import { invalidArgument } from '../../base/errors.js';
import { authFromCri } from '../convert/auth.js';
import type { ImageService } from '../image-service.js';
import type { ImageCall } from './context.js';
import { requiredImage } from './required-image.js';

/** What a pull needs to know of the node. */
export interface PullCall extends ImageCall {
  /** Names of the runtime handlers, which may be asked for an image. */
  readonly runtimeHandlers: readonly string[];
}

/**
 * Pulls an image and answers with its id, which is its name in all other RPCs too. All handlers run the same images, so which one
 * it is for matters only if there is none of that name (CRI, ImageSpec.runtime_handler).
 */
export async function pullImage(
  service: ImageService,
  request: runtime.v1.PullImageRequest,
  { signal, runtimeHandlers }: PullCall,
): Promise<runtime.v1.IPullImageResponse> {
  const handler = request.image?.runtimeHandler ?? '';
  if (handler !== '' && !runtimeHandlers.includes(handler))
    throw invalidArgument(`image.runtime_handler ${JSON.stringify(handler)} is no handler of this node`);
  const namespace = request.sandboxConfig?.metadata?.namespace ?? '';
  const { id } = await service.pull(requiredImage(request), { auth: authFromCri(request.auth), namespace, signal });
  return { imageRef: id };
}
