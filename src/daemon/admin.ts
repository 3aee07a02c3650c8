import { invalidArgument } from '../base/errors.js';
import { exportFormat } from '../image-service/export-images.js';
import type { ImageService } from '../image-service/image-service.js';
import { watchProgress } from '../image-service/progress.js';
import type { AuthConfig } from '../image-service/registry/credentials.js';
import type { ImageRecord } from '../image-service/types.js';
import type { AdminHandlers, AdminStreams } from '../server/admin.js';

type Request = Readonly<Record<string, unknown>>;

/** What the `gantry` command asks of the daemon beside CRI: the daemon owns the store, so it does the work. */
export function adminHandlers(images: ImageService): AdminHandlers {
  const { summary, pull, importFile } = verbs(images);
  return {
    ImportImage: (request, signal) => importFile(request, { signal }),
    PullImage: (request, signal) => pull(request, { signal }),
    ListImages: () => Promise.resolve({ images: images.list().map(summary) }),
    // eslint-disable-next-line @typescript-eslint/require-await -- what resolve throws must be a rejection
    async InspectImage(request) {
      const image = images.resolve(textOf(request, 'image'));
      const { artifactType, annotations, chain: layers, configJson } = image;
      return { ...summary(image), artifactType, annotations, layers, config: JSON.parse(configJson) as unknown };
    },
    async RemoveImage(request) {
      const image = textOf(request, 'image');
      const { id } = images.resolve(image);
      await images.remove(image);
      return { id };
    },
    PruneImages: async () => ({ images: (await images.prune()).map(summary) }),
    async CheckImages({ repair }) {
      const { layers, images: damaged } = await images.check({ repair: repair === true });
      return { layers, images: damaged.map(({ image, ...rest }) => ({ ...summary(image), ...rest })) };
    },
    ExplainImage: async (request) => ({ references: await images.explain(textOf(request, 'image')) }),
  };
}

/** The calls that take long: with how far they are, or what they make, while they go on. */
export function adminStreams(images: ImageService): AdminStreams {
  const { pull, importFile } = verbs(images);
  return {
    WatchPull: (request, signal) => watchProgress(images.progress, (onFetch) => pull(request, { signal, onFetch })),
    WatchImport: (request, signal) =>
      watchProgress(images.progress, (onFetch) => importFile(request, { signal, onFetch })),
    async *ExportImages(request, signal) {
      const { images: names } = request;
      if (!Array.isArray(names) || names.length === 0 || !names.every((name) => typeof name === 'string'))
        throw invalidArgument('images is no list of names');
      const format = exportFormat(optionalText(request, 'format') ?? 'oci');
      const exported = yield* images.export(names, { format, signal });
      yield { exported };
    },
  };
}

interface FetchOptions {
  readonly signal: AbortSignal;
  readonly onFetch?: (key: string) => void;
}

/** What calls with one answer and with many have in common. */
function verbs(images: ImageService) {
  const summary = (image: ImageRecord): object => {
    const { id, repoTags, repoDigests, size } = image;
    return { id, repoTags, repoDigests, size, pinned: images.isPinned(image) };
  };
  const pull = async (request: Request, options: FetchOptions): Promise<object> =>
    summary(await images.pull(textOf(request, 'image'), { auth: authOf(request), ...options }));
  const importFile = async (request: Request, options: FetchOptions): Promise<object> => {
    const path = textOf(request, 'path');
    if (!path.startsWith('/')) throw invalidArgument('path is not an absolute path');
    const imported = await images.importLayout(path, { name: optionalText(request, 'name'), ...options });
    return { images: imported.map(summary) };
  };
  return { summary, pull, importFile };
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
