import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

interface LayerFile {
  readonly chainId: string;
  readonly dir: string;
}

/** What the image store has on disk of images and layers, by its records. */
export interface StoredImages {
  /** Directories of layers by chain id. */
  readonly layers: ReadonlyMap<string, string>;
  /** Chain ids of each image, base first. */
  readonly chains: readonly (readonly string[])[];
}

/** Reads the records below `<root>/images`. */
export async function readStoredImages(root: string): Promise<StoredImages> {
  const images = join(root, 'images');
  const layers = (await readAll(join(images, 'layer-records'))) as LayerFile[];
  const records = (await readAll(join(images, 'records'))) as { chain: string[] }[];
  return {
    layers: new Map(layers.map(({ chainId, dir }) => [chainId, join(images, 'layers', dir)])),
    chains: records.map(({ chain }) => chain),
  };
}

/** Everything below `<root>/images` that no record speaks of, or that a record speaks of and is not there; one line each. */
export async function strayImageFiles(root: string): Promise<string[]> {
  const images = join(root, 'images');
  const { layers, chains } = await readStoredImages(root);
  const named = new Set(chains.flat());
  const [dirs, ...passing] = await Promise.all(
    ['layers', 'ingest', 'partial', 'unsynced-layers'].map((name) => list(join(images, name))),
  );
  const owned = [...layers.values()];
  const temporary = (await Promise.all(['records', 'layer-records'].map((name) => list(join(images, name))))).flat();
  return [
    ...(dirs ?? []).filter((path) => !owned.includes(path)).map((path) => `${path} has no record`),
    ...owned.filter((path) => dirs?.includes(path) !== true).map((path) => `${path} is missing`),
    ...[...layers].filter(([id]) => !named.has(id)).map(([id]) => `layer ${id} is no image's`),
    ...[...named].filter((id) => !layers.has(id)).map((id) => `layer ${id} of an image is missing`),
    ...[...passing.flat(), ...(await list(join(root, 'quarantine')))],
    ...temporary.filter((path) => !path.endsWith('.json')),
  ];
}

async function readAll(dir: string): Promise<unknown[]> {
  const paths = (await list(dir)).filter((path) => path.endsWith('.json'));
  return Promise.all(paths.map(async (path) => JSON.parse(await readFile(path, 'utf8')) as unknown));
}

async function list(dir: string): Promise<string[]> {
  return (await readdir(dir).catch(() => [])).map((name) => join(dir, name));
}
