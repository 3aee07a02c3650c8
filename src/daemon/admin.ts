import { invalidArgument } from '../base/errors.js';
import type { ImageService } from '../image-service/image-service.js';
import type { AdminHandlers } from '../server/admin.js';

/** What the `gantry` command asks of the daemon beside CRI: the daemon owns the store, so it does the work. */
export function adminHandlers(images: ImageService): AdminHandlers {
  return {
    async ImportImage({ path }) {
      if (typeof path !== 'string' || !path.startsWith('/')) throw invalidArgument('path is not an absolute path');
      return { images: await images.importLayout(path) };
    },
  };
}
