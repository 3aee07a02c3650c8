/** Media types of OCI's image-spec and of Docker's registry, by what they stand for. */

const OCI = 'application/vnd.oci.image';
const DOCKER = 'application/vnd.docker';

export const INDEX_TYPES: readonly string[] = [`${OCI}.index.v1+json`, `${DOCKER}.distribution.manifest.list.v2+json`];

export const MANIFEST_TYPES: readonly string[] = [`${OCI}.manifest.v1+json`, `${DOCKER}.distribution.manifest.v2+json`];

export const CONFIG_TYPES: readonly string[] = [`${OCI}.config.v1+json`, `${DOCKER}.container.image.v1+json`];

const LAYER_TYPES: readonly string[] = [
  `${OCI}.layer.v1.tar`,
  `${OCI}.layer.nondistributable.v1.tar`,
  `${DOCKER}.image.rootfs.diff.tar`,
  `${DOCKER}.image.rootfs.foreign.diff.tar`,
];
const COMPRESSIONS: readonly string[] = ['', '+gzip', '.gzip', '+zstd', '.zstd'];

/** What a manifest is asked for with. */
export const ACCEPT = [...INDEX_TYPES, ...MANIFEST_TYPES].join(', ');

/** The manifest format of Docker before 2016, which has no configuration and no verifiable layers. */
export function isSchema1(mediaType: string): boolean {
  return mediaType.startsWith(`${DOCKER}.distribution.manifest.v1+`);
}

/** True for a layer that can be unpacked; how it is compressed is told by its content. */
export function isLayerType(mediaType: string): boolean {
  return LAYER_TYPES.some((type) => mediaType.startsWith(type) && COMPRESSIONS.includes(mediaType.slice(type.length)));
}
