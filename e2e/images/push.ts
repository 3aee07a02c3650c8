import type { Blob, Descriptor } from '../../scripts/oci-layout/blob.js';
import { readBlob, type ImageLayout } from '../../scripts/oci-layout/layout.js';
import { unavailable } from '../../src/base/errors.js';

/** A repository of a registry: `http://127.0.0.1:5000/v2/registry.k8s.io/pause`. */
type Repository = string;

/**
 * Pushes images to `http://<address>`, each under its full name as repository (OCI distribution-spec, "Push").
 * What a repository has already got is not sent to another: it is mounted.
 */
export async function pushAll(address: string, images: readonly ImageLayout[]): Promise<void> {
  const homes = new Map<string, string>();
  for (const { name, dir, root } of images) {
    const [path, tag] = splitTag(name);
    await pushTree({ dir, address, path, homes }, root, tag);
  }
}

interface Target {
  readonly dir: string;
  readonly address: string;
  readonly path: string;
  /** A repository that has the blob, by digest. */
  readonly homes: Map<string, string>;
}

/** A manifest may be put only when all that it names is there. */
async function pushTree(target: Target, descriptor: Descriptor, reference: string): Promise<void> {
  const manifest = await readBlob(target.dir, descriptor);
  const content = JSON.parse(manifest.data.toString()) as ManifestContent;
  for (const child of content.manifests ?? []) await pushTree(target, child, child.digest);
  for (const each of [...(content.layers ?? []), ...(content.config ? [content.config] : [])]) {
    await pushBlob(target, each);
  }
  await putManifest(repositoryOf(target), reference, manifest);
}

interface ManifestContent {
  readonly manifests?: readonly Descriptor[];
  readonly layers?: readonly Descriptor[];
  readonly config?: Descriptor;
}

async function pushBlob(target: Target, descriptor: Descriptor): Promise<void> {
  const { homes, path } = target;
  const { digest } = descriptor;
  const home = homes.get(digest);
  if (home === path) return;
  const repository = repositoryOf(target);
  const mount = home === undefined ? '' : `?${new URLSearchParams({ mount: digest, from: home }).toString()}`;
  const started = await send('POST', `${repository}/blobs/uploads/${mount}`, [201, 202]);
  if (started.status === 202) await upload(target, descriptor, location(started));
  homes.set(digest, path);
}

async function upload({ dir }: Target, descriptor: Descriptor, to: URL): Promise<void> {
  const { data } = await readBlob(dir, descriptor);
  to.searchParams.set('digest', descriptor.digest);
  await send('PUT', to.href, [201], { headers: { 'content-type': 'application/octet-stream' }, body: data });
}

async function putManifest(repository: Repository, reference: string, { mediaType, data }: Blob): Promise<void> {
  const url = `${repository}/manifests/${reference}`;
  await send('PUT', url, [201], { headers: { 'content-type': mediaType }, body: data });
}

interface Content {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

async function send(
  method: 'POST' | 'PUT',
  url: string,
  expected: readonly number[],
  { headers = {}, body }: Partial<Content> = {},
): Promise<Response> {
  const response = await fetch(url, {
    method,
    headers,
    ...(body === undefined ? {} : { body: body as Buffer<ArrayBuffer> }),
  });
  const text = await response.text();
  if (expected.includes(response.status)) return response;
  throw unavailable(`${method} ${url}: status ${response.status}: ${text}`);
}

function location({ headers }: Response): URL {
  return new URL(headers.get('location') ?? '');
}

function repositoryOf({ address, path }: Target): Repository {
  return `http://${address}/v2/${path}`;
}

function splitTag(name: string): [string, string] {
  const cut = name.lastIndexOf(':');
  return [name.slice(0, cut), name.slice(cut + 1)];
}
