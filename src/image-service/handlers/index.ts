import type { runtime } from '../../../api/cri/generated/api.cjs';

import type { ImageService } from '../image-service.js';
import type { ImageCall } from './context.js';
import { imageFsInfo } from './image-fs-info.js';
import { imageStatus } from './image-status.js';
import { listImages } from './list-images.js';
import { pullImage } from './pull-image.js';
import { removeImage } from './remove-image.js';
import { streamImages } from './stream-images.js';

export interface ImageHandlerOptions {
  /** Names of the runtime handlers, which may be asked for an image. */
  readonly runtimeHandlers: readonly string[];
  /** The directory of what containers write. */
  readonly writableLayers: string;
}

/** The RPCs of CRI's ImageService. */
export function createImageHandlers(service: ImageService, { runtimeHandlers, writableLayers }: ImageHandlerOptions) {
  return {
    ListImages: (request: runtime.v1.ListImagesRequest) => later(() => listImages(service, request)),
    StreamImages: (request: runtime.v1.StreamImagesRequest) => streamImages(service, request),
    ImageStatus: (request: runtime.v1.ImageStatusRequest) => later(() => imageStatus(service, request)),
    PullImage: (request: runtime.v1.PullImageRequest, { signal }: ImageCall) =>
      pullImage(service, request, { signal, runtimeHandlers }),
    RemoveImage: (request: runtime.v1.RemoveImageRequest) => removeImage(service, request),
    ImageFsInfo: () => imageFsInfo(service, writableLayers),
  };
}

/** What a synchronous handler throws becomes a rejection, like any other's. */
function later<T>(fn: () => T): Promise<T> {
  return new Promise((resolve) => resolve(fn()));
}
