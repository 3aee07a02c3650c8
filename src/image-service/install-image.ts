import { setMaxListeners } from 'node:events';

import { dataLoss, hasCode, notFound } from '../base/errors.js';
import type { Logger } from '../base/log.js';
import type { ImageContent } from './image-store.js';
import type { LayerRequest, LayerStore } from './layers/layer-store.js';
import type { Progress } from './progress.js';
import { chainIds } from './registry/digest.js';
import { parseImageConfig, type ImageDocument } from './registry/image-config.js';
import type { Descriptor, Manifest } from './registry/manifest.js';
import { HOST_ARCHITECTURE, runsHere } from './registry/platform.js';
import { retryAfterOf } from './registry/transient.js';

export interface InstallOptions {
  readonly layers: LayerStore;
  readonly manifest: Manifest;
  /** The image configuration, already verified against the manifest. */
  readonly configJson: string;
  /** Gets a layer's bytes; see {@link LayerRequest}. */
  readonly fetchLayer: (
    layer: Descriptor,
    ...args: Parameters<LayerRequest['fetch']>
  ) => ReturnType<LayerRequest['fetch']>;
  readonly progress: Progress;
  /** What the image's progress is asked for by. */
  readonly progressKey: string;
  /** Names the image in errors. */
  readonly what: string;
  /**
   * An index has named it for this machine. A configuration that names another platform is told of then, since labels are
   * copied from base to base; else the image is refused.
   */
  readonly chosen: boolean;
  readonly logger: Logger;
  /** Who keeps the layers until the image's record does. */
  readonly owner: string;
  readonly signal: AbortSignal;
}

/**
 * Unpacks the layers of an image that are not there yet, and makes them last.
 * @throws not-found if it is for another kind of machine.
 */
export async function installImage(options: InstallOptions): Promise<ImageContent> {
  const { layers, manifest, configJson, what, owner } = options;
  const id = manifest.config.digest;
  const { config, diffIds, platform } = parseImageConfig(configJson, `the configuration of ${what}`);
  checkPlatform(platform, options);
  if (diffIds.length !== manifest.layers.length)
    throw dataLoss(`${what} has ${manifest.layers.length} layers, but its configuration lists ${diffIds.length}`);
  const chain = chainIds(diffIds);
  layers.retain(owner, chain);
  await unpackTold(options, { chain, diffIds });
  await layers.commit(chain);
  const size = chain.reduce((sum, chainId) => sum + layers.record(chainId).size, 0);
  return { id, config, configJson, chain, size, annotations: manifest.annotations };
}

function checkPlatform(
  { os, architecture }: ImageDocument['platform'],
  { what, chosen, logger }: InstallOptions,
): void {
  if (runsHere({ os, architecture })) return;
  const platform = `${os || 'linux'}/${architecture}`;
  if (!chosen)
    throw notFound(`the configuration of ${what} is for ${platform}, this machine is linux/${HOST_ARCHITECTURE}`);
  logger.warn({ image: what, platform }, 'the configuration of an image names another platform than its index');
}

export interface Ids {
  readonly chain: readonly string[];
  readonly diffIds: readonly string[];
  /** See {@link LayerRequest}. */
  readonly verifiedBefore?: boolean;
}

/** Unpacks layers, and tells how far it is. */
export async function unpackTold(options: InstallOptions, ids: Ids): Promise<void> {
  const { layers, manifest, progress, progressKey } = options;
  const rows = manifest.layers.map(({ digest, size }, index) => {
    const isThere = (): boolean => layers.has(ids.chain[index] ?? '');
    return { digest, size, isThere };
  });
  progress.begin(progressKey, rows);
  try {
    await unpackAll(options, ids);
  } catch (error) {
    if (leavesLayers(error)) layers.leave(ids.chain);
    throw error;
  } finally {
    progress.end(progressKey);
  }
}

/**
 * Whether layers that are finished wait for another try. They do not where the disk is full, or an image too big for it: then
 * room is what is wanted.
 */
export function leavesLayers(error: unknown): boolean {
  return retryAfterOf(error) !== undefined || !hasCode(error, 'resource-exhausted');
}

/** All layers side by side, as far as there are slots; the first failure stops the others, which are waited for. */
async function unpackAll(options: InstallOptions, ids: Ids): Promise<void> {
  const { layers, manifest, fetchLayer, progress, owner } = options;
  const failed = new AbortController();
  const signal = AbortSignal.any([options.signal, failed.signal]);
  // As many layers listen as there are; that is no leak.
  setMaxListeners(0, signal);
  const all = manifest.layers.map((layer, index) =>
    layers.ensure({
      owner,
      chain: ids.chain.slice(0, index + 1),
      expected: { digest: layer.digest, size: layer.size, diffId: ids.diffIds[index] ?? '' },
      verifiedBefore: ids.verifiedBefore ?? false,
      fetch: (unpack, flightSignal) =>
        fetchLayer(layer, (source) => unpack(progress.counted(layer.digest, source)), flightSignal),
      signal,
    }),
  );
  let first: { readonly error: unknown } | undefined;
  const note = (error: unknown): void => {
    first ??= { error };
    failed.abort();
  };
  await Promise.all(all.map((layer) => layer.catch(note)));
  if (first !== undefined) throw first.error;
}
