import { invalidArgument } from '../base/errors.js';
import type { ImageService } from '../image-service/image-service.js';
import type { AdminHandlers } from '../server/admin.js';

/** What the `gantry` command asks of the daemon beside CRI: the daemon owns the store, so it does the work. */
export function adminHandlers(images: ImageService): AdminHandlers {
  return {
    async ImportImage({ path, name }) {
      if (typeof path !== 'string' || !path.startsWith('/')) throw invalidArgument('path is not an absolute path');
      if (name !== undefined && typeof name !== 'string') throw invalidArgument('name is not a string');
      const imported = await images.importLayout(path, { name });
      return { images: imported.map(({ id, repoTags, repoDigests }) => ({ id, repoTags, repoDigests })) };
    },
  };
}
