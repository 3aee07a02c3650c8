import { invalidArgument } from '../base/errors.js';
import type { ImageService } from '../image-service/image-service.js';
import type { AuthConfig } from '../image-service/registry/credentials.js';
import type { ImageRecord } from '../image-service/types.js';
import type { AdminHandlers } from '../server/admin.js';

type Request = Readonly<Record<string, unknown>>;

/** What the `gantry` command asks of the daemon beside CRI: the daemon owns the store, so it does the work. */
export function adminHandlers(images: ImageService): AdminHandlers {
  const summary = (image: ImageRecord): object => {
    const { id, repoTags, repoDigests, size } = image;
    return { id, repoTags, repoDigests, size, pinned: images.isPinned(image) };
  };
  return {
    async ImportImage(request, signal) {
      const path = textOf(request, 'path');
      if (!path.startsWith('/')) throw invalidArgument('path is not an absolute path');
      const imported = await images.importLayout(path, { name: optionalText(request, 'name'), signal });
      return { images: imported.map(summary) };
    },
    async PullImage(request, signal) {
      return summary(await images.pull(textOf(request, 'image'), { auth: authOf(request), signal }));
    },
    ListImages: () => Promise.resolve({ images: images.list().map(summary) }),
    // eslint-disable-next-line @typescript-eslint/require-await -- what resolve throws must be a rejection
    async InspectImage(request) {
      const image = images.resolve(textOf(request, 'image'));
      return { ...summary(image), layers: image.chain, config: JSON.parse(image.configJson) as unknown };
    },
    async RemoveImage(request) {
      const image = textOf(request, 'image');
      const { id } = images.resolve(image);
      await images.remove(image);
      return { id };
    },
    PruneImages: async () => ({ images: (await images.prune()).map(summary) }),
    ExplainImage: async (request) => ({ references: await images.explain(textOf(request, 'image')) }),
  };
}

function authOf(request: Request): AuthConfig | undefined {
  const username = optionalText(request, 'username');
  return username === undefined ? undefined : { username, password: optionalText(request, 'password') };
}

function textOf(request: Request, key: string): string {
  const text = optionalText(request, key);
  if (text === undefined || text === '') throw invalidArgument(`${key} is missing`);
  return text;
}

function optionalText(request: Request, key: string): string | undefined {
  const value = request[key];
  if (value === undefined || typeof value === 'string') return value;
  throw invalidArgument(`${key} is not a string`);
}
