import { blobOf, imageOf, sha256, type Blob, type FixtureImage } from '../../src/image-service/image-fixture.js';
import type { HostileImage } from './layers.js';

type Code = HostileImage['code'];
type Json = Record<string, unknown>;

const OCI = 'application/vnd.oci.image';
const INDEX = `${OCI}.index.v1+json`;
const MANIFEST = `${OCI}.manifest.v1+json`;
const good = imageOf({ layers: [[{ name: 'f' }]] });
const [config, layer] = good.blobs as [Blob, Blob];
const describe = ({ mediaType, digest, size }: Blob): Json => ({ mediaType, digest, size });
const platform = (architecture: string): Json => ({ platform: { os: 'linux', architecture } });

/** The good image with another manifest. */
function withManifest(type: string, content: Buffer | object, blobs: readonly Blob[] = good.blobs): FixtureImage {
  return { ...good, manifest: blobOf(type, content), blobs };
}

function spoilt(spoil: (manifest: Json) => void): FixtureImage {
  return imageOf({ layers: [[{ name: 'f' }]], spoil });
}

const layerWith = (more: Json): FixtureImage =>
  spoilt((manifest) => (manifest['layers'] = [{ ...describe(layer), ...more }]));
const configWith = (more: Json): FixtureImage =>
  spoilt((manifest) => (manifest['config'] = { ...describe(config), ...more }));

/** With files of these names (OCI image-spec, manifest.md, "Guidelines for Artifact Usage"). */
const artifactOf = (...titles: readonly string[]): FixtureImage =>
  spoilt((manifest) => {
    manifest['config'] = { ...describe(config), mediaType: 'application/vnd.cncf.helm.config.v1+json' };
    manifest['layers'] = titles.map((title) => ({
      ...describe(layer),
      annotations: { 'org.opencontainers.image.title': title },
    }));
  });

/** The good image with another configuration. */
function withConfig(content: Buffer | object): FixtureImage {
  const blob = blobOf(config.mediaType, content);
  const manifest = blobOf(MANIFEST, {
    schemaVersion: 2,
    mediaType: MANIFEST,
    config: describe(blob),
    layers: [describe(layer)],
  });
  return { manifest, blobs: [blob, layer], id: blob.digest };
}

/** Other bytes under a digest. */
function replaced(blob: Blob, data: Buffer): FixtureImage {
  return { ...good, blobs: good.blobs.map((each) => (each === blob ? { ...each, data } : each)) };
}

function nested(depth: number): FixtureImage {
  const indexes: Blob[] = [good.manifest];
  for (let i = 0; i < depth; i++)
    indexes.unshift(blobOf(INDEX, { schemaVersion: 2, mediaType: INDEX, manifests: [describe(indexes[0] as Blob)] }));
  const [top, ...below] = indexes;
  return { ...good, manifest: top as Blob, blobs: [...below, ...good.blobs] };
}

const deep = (count: number): Buffer => Buffer.from(`${'['.repeat(count)}${']'.repeat(count)}`);

const CASES: readonly (readonly [string, FixtureImage, Code, RegExp])[] = [
  ['a manifest that is not JSON', withManifest(MANIFEST, Buffer.from('{')), 'DATA_LOSS', /manifest .* is not JSON/],
  ['a manifest that is a list', withManifest(MANIFEST, Buffer.from('[]')), 'DATA_LOSS', /is not a JSON object/],
  ['JSON a million deep', withManifest(MANIFEST, deep(1_000_000)), 'DATA_LOSS', /manifest .* more than 10000 values/],
  [
    'JSON a million deep in a field',
    withManifest(MANIFEST, Buffer.from(`{"layers":${deep(1_000_000).toString()}}`)),
    'DATA_LOSS',
    /manifest/,
  ],
  ['a manifest of 5 MB', withManifest(MANIFEST, Buffer.alloc(5 << 20, 0x20)), 'DATA_LOSS', /longer than 4194304 bytes/],
  [
    'annotations of 5 MB',
    spoilt((manifest) => (manifest['annotations'] = { a: 'x'.repeat(5 << 20) })),
    'DATA_LOSS',
    /longer than 4194304/,
  ],
  ['HTML', withManifest('text/html', Buffer.from('<html>')), 'DATA_LOSS', /came as "text\/html"/],
  [
    'a manifest that says it is an index',
    withManifest(INDEX, JSON.parse(good.manifest.data.toString()) as object),
    'DATA_LOSS',
    /says that it is/,
  ],
  ['a manifest of no known type', withManifest('application/json', { schemaVersion: 2 }), 'DATA_LOSS', /media type ""/],
  [
    'schema 1 by its type',
    withManifest('application/vnd.docker.distribution.manifest.v1+prettyjws', { schemaVersion: 1 }),
    'UNIMPLEMENTED',
    /schema 1/,
  ],
  [
    'schema 1 by its version',
    withManifest('application/json', { schemaVersion: 1, fsLayers: [] }),
    'UNIMPLEMENTED',
    /schema 1/,
  ],
  [
    'both a manifest and an index',
    spoilt((manifest) => (manifest['manifests'] = [])),
    'DATA_LOSS',
    /no valid manifest/,
  ],
  ['a manifest without layers', spoilt((manifest) => delete manifest['layers']), 'DATA_LOSS', /no valid manifest/],
  [
    'a manifest without configuration',
    spoilt((manifest) => delete manifest['config']),
    'DATA_LOSS',
    /malformed descriptor/,
  ],
  [
    '501 layers',
    spoilt((manifest) => (manifest['layers'] = Array.from({ length: 501 }, () => describe(layer)))),
    'DATA_LOSS',
    /501 layers, more than 500/,
  ],
  [
    'more layers than the configuration lists',
    spoilt((manifest) => (manifest['layers'] = [describe(layer), describe(layer)])),
    'DATA_LOSS',
    /2 layers, but its configuration lists 1/,
  ],
  [
    'a digest that is a path',
    configWith({ digest: 'sha256:../../../etc/passwd' }),
    'DATA_LOSS',
    /malformed digest "sha256:\.\.\//,
  ],
  ['a digest of no known kind', layerWith({ digest: `md5:${'0'.repeat(32)}` }), 'DATA_LOSS', /malformed digest "md5:/],
  [
    'a digest in capitals',
    layerWith({ digest: `sha256:${'A'.repeat(64)}` }),
    'DATA_LOSS',
    /malformed digest "sha256:AAA/,
  ],
  ['a digest that is an object', layerWith({ digest: {} }), 'DATA_LOSS', /malformed digest/],
  ['a negative size', layerWith({ size: -1 }), 'DATA_LOSS', /malformed size -1/],
  ['a size that is no whole number', layerWith({ size: 1.5 }), 'DATA_LOSS', /malformed size 1.5/],
  ['a size past all numbers', layerWith({ size: 1e300 }), 'DATA_LOSS', /malformed size/],
  ['a size that is text', layerWith({ size: '12' }), 'DATA_LOSS', /malformed size "12"/],
  [
    'an encrypted layer',
    layerWith({ mediaType: `${OCI}.layer.v1.tar+gzip+encrypted` }),
    'FAILED_PRECONDITION',
    /unknown type/,
  ],
  ...['../evil', '/etc/passwd', 'a/../../b', 'a//b', '.wh.all', 'x\0y', 'l'.repeat(256)].map(
    (title) =>
      [
        `an artifact with a file ${JSON.stringify(title.slice(0, 20))}`,
        artifactOf(title),
        'DATA_LOSS',
        /has a file with the name/,
      ] as const,
  ),
  ['an artifact with two files of one name', artifactOf('same', 'same'), 'DATA_LOSS', /two files of one name/],
  [
    'a foreign layer that only its maker has',
    layerWith({
      mediaType: `${OCI}.layer.nondistributable.v1.tar+gzip`,
      digest: sha256('away'),
      urls: ['http://127.0.0.1:1/'],
    }),
    'NOT_FOUND',
    /blob sha256:/,
  ],
  ['a configuration of 1 GB', configWith({ size: 1 << 30 }), 'DATA_LOSS', /configuration .* 1073741824 bytes/],
  ['a configuration that is not JSON', withConfig(Buffer.from('nope')), 'DATA_LOSS', /configuration .* is not JSON/],
  ['a configuration that is a list', withConfig(Buffer.from('[1]')), 'DATA_LOSS', /configuration .* not a JSON object/],
  ['a configuration a million deep', withConfig(deep(1_000_000)), 'DATA_LOSS', /configuration/],
  ['a configuration without layers', withConfig({ os: 'linux' }), 'DATA_LOSS', /configuration .* lists no layers/],
  [
    'a diff id that is none',
    withConfig({ rootfs: { diff_ids: ['sha256:abc'] } }),
    'DATA_LOSS',
    /malformed layer digest "sha256:abc"/,
  ],
  [
    'another diff id',
    imageOf({ layers: [[{ name: 'f' }]], diffIds: [sha256('other')] }),
    'DATA_LOSS',
    /uncompressed digest sha256:.*, not/,
  ],
  [
    'fewer diff ids than layers',
    imageOf({ layers: [[{ name: 'f' }]], diffIds: [] }),
    'DATA_LOSS',
    /1 layers, but its configuration lists 0/,
  ],
  ['another machine', imageOf({ layers: [[]], architecture: 'plan9' }), 'NOT_FOUND', /is for linux\/plan9/],
  ['another system', withConfig({ os: 'windows', rootfs: { diff_ids: [] } }), 'NOT_FOUND', /is for windows\//],
  [
    'other bytes for the configuration',
    replaced(config, Buffer.alloc(config.size, 0x20)),
    'DATA_LOSS',
    /configuration sha256:.* has the digest/,
  ],
  ['other bytes for a layer', replaced(layer, Buffer.alloc(layer.size, 0x41)), 'DATA_LOSS', /layer sha256:.*/],
  [
    'a layer that is longer',
    replaced(layer, Buffer.concat([layer.data, layer.data])),
    'DATA_LOSS',
    /blob sha256:.* has \d+ bytes/,
  ],
  [
    'a layer that is shorter',
    replaced(layer, layer.data.subarray(0, 20)),
    'DATA_LOSS',
    /has 20 bytes, where the manifest says/,
  ],
  [
    'an index with a manifest’s fields',
    withManifest(INDEX, { schemaVersion: 2, manifests: [], layers: [] }),
    'DATA_LOSS',
    /no valid index/,
  ],
  ['an empty index', withManifest(INDEX, { schemaVersion: 2, manifests: [] }), 'NOT_FOUND', /only nothing/],
  [
    'an index of others',
    withManifest(INDEX, { schemaVersion: 2, manifests: [{ ...describe(good.manifest), ...platform('s390x') }] }),
    'NOT_FOUND',
    /only linux\/s390x/,
  ],
  [
    'an index of nulls',
    withManifest(INDEX, { schemaVersion: 2, manifests: [null] }),
    'DATA_LOSS',
    /malformed descriptor/,
  ],
  [
    'an index whose entry is a layer',
    withManifest(INDEX, { schemaVersion: 2, manifests: [describe(layer)] }),
    'DATA_LOSS',
    /came as|no image manifest/,
  ],
  [
    'an index whose entry is not there',
    withManifest(INDEX, { schemaVersion: 2, manifests: [{ ...describe(good.manifest), digest: sha256('gone') }] }),
    'NOT_FOUND',
    /manifest sha256:/,
  ],
  ['indexes in indexes in indexes', nested(5), 'DATA_LOSS', /more than 4 deep/],
];

/** Documents that lie, or that try to wear out who reads them. */
export function hostileManifests(): HostileImage[] {
  return CASES.map(([what, image, code, says]) => ({ what, image, code, says }));
}
