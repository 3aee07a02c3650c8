import type { runtime } from '../../../api/cri/generated/api.cjs';

import { invalidArgument } from '../../base/errors.js';

/** The image that a request names. @throws invalid-argument naming the field */
export function requiredImage(request: { readonly image?: runtime.v1.IImageSpec | null }): string {
  const image = request.image?.image ?? '';
  if (image === '') throw invalidArgument('image.image must not be empty');
  return image;
}
