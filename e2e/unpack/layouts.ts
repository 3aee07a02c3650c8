import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { Descriptor } from '../../scripts/oci-layout/blob.js';
import type { ImageLayout } from '../../scripts/oci-layout/layout.js';
import type { FixtureImage } from '../../src/image-service/image-fixture.js';

const TAG = 'org.opencontainers.image.ref.name';

/** Writes an OCI layout with one image, called `1`. */
export async function writeFixture(dir: string, { manifest, blobs }: FixtureImage): Promise<void> {
  await mkdir(join(dir, 'blobs', 'sha256'), { recursive: true });
  for (const { digest, data } of [manifest, ...blobs]) await writeFile(join(dir, 'blobs', ...digest.split(':')), data);
  const { mediaType, digest, size } = manifest;
  const index = { schemaVersion: 2, manifests: [{ mediaType, digest, size, annotations: { [TAG]: '1' } }] };
  await writeFile(join(dir, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  await writeFile(join(dir, 'index.json'), JSON.stringify(index));
}

/** The image called `1` of an OCI layout that any tool wrote, to be pushed as `name`. */
export async function layoutAs(dir: string, name: string): Promise<ImageLayout> {
  const index = JSON.parse(await readFile(join(dir, 'index.json'), 'utf8')) as { manifests: Descriptor[] };
  const root = index.manifests.find(({ annotations }) => annotations?.[TAG] === '1') as Descriptor;
  return { name, dir, root };
}
