import type { ImageContent } from './image-store.js';
import { tarOfBlob } from './artifact-tar.js';
import { unpackTold, type InstallOptions } from './install-image.js';
import { NO_CONFIG } from './registry/image-config.js';
import { chainIds, digestOf } from './registry/digest.js';

/**
 * Stores an artifact's blobs, each as a layer that is one file, and makes them last. Its id is its manifest's digest:
 * configurations of artifacts are often the same empty one.
 */
export async function installArtifact(
  options: Omit<InstallOptions, 'configJson'> & { readonly id: string },
): Promise<ImageContent> {
  const { layers, manifest, owner, id } = options;
  const { type, names } = manifest.artifact ?? { type: '', names: [] };
  // No digest of an archive: what stands for the file is its name and content.
  const diffIds = manifest.layers.map(({ digest }, index) =>
    digestOf(`artifact file\0${names[index] ?? ''}\0${digest}`),
  );
  const chain = chainIds(diffIds);
  layers.retain(owner, chain);
  const fetchLayer: InstallOptions['fetchLayer'] = (blob, unpack, signal) => {
    const name = names[manifest.layers.indexOf(blob)] ?? '';
    return options.fetchLayer(blob, (source) => unpack(tarOfBlob(name, blob, source)), signal);
  };
  await unpackTold({ ...options, configJson: '{}', fetchLayer }, { chain, diffIds, verifiedBefore: true });
  await layers.commit(chain);
  const size = chain.reduce((sum, chainId) => sum + layers.record(chainId).size, 0);
  return {
    id,
    config: NO_CONFIG,
    configJson: '{}',
    chain,
    size,
    annotations: manifest.annotations,
    artifactType: type,
  };
}
