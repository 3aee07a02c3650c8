import { runtime } from '../../../api/cri/generated/api.cjs';

import { inChunks } from '../../base/list-chunks.js';
import type { ImageService } from '../image-service.js';
import { findImages } from './list-images.js';

/** ListImages in pieces, for lists that exceed a message; as they are when the call begins. */
export async function* streamImages(
  service: ImageService,
  request: runtime.v1.StreamImagesRequest,
): AsyncGenerator<Uint8Array, void, void> {
  yield* inChunks(entries(findImages(service, request)));
}

/** A list of one, encoded, for each: joined, they are the list of all. */
function* entries(images: readonly runtime.v1.IImage[]): Generator<Uint8Array> {
  for (const image of images) yield runtime.v1.StreamImagesResponse.encode({ images: [image] }).finish();
}
