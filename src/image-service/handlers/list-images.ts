import type { runtime } from '../../../api/cri/generated/api.cjs';

import { imageToCri } from '../convert/image.js';
import type { ImageService } from '../image-service.js';

/** All images, or the one that the filter names. */
export function listImages(
  service: ImageService,
  request: { readonly filter?: runtime.v1.IImageFilter | null },
): runtime.v1.IListImagesResponse {
  return { images: findImages(service, request) };
}

/** The images that a list has. */
export function findImages(
  service: ImageService,
  request: { readonly filter?: runtime.v1.IImageFilter | null },
): runtime.v1.IImage[] {
  const wanted = request.filter?.image?.image ?? '';
  const found = wanted === '' ? service.list() : [service.find(wanted)].filter((image) => image !== undefined);
  return found.map((image) => imageToCri(image, service.isPinned(image)));
}
