import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { codeOf, describeError } from '../base/errors.js';
import { silentLogger } from '../base/log.js';
import { imageOf, type FixtureImage } from './image-fixture.js';
import { ImageService, type ImageServiceOptions } from './image-service.js';
import type { PullOptions } from './pull.js';
import { writeHosts } from './registry-fixture.js';

export const hello = imageOf({
  layers: [[{ name: 'etc/hello', data: 'hello' }]],
  config: { Cmd: ['/bin/hello'], User: '7' },
});

/** An image service on a store of its own, and servers for it to pull from. */
export class PullHouse {
  readonly root = mkdtempSync(join(tmpdir(), 'gantry-pull-'));
  readonly #servers: Server[] = [];
  #service: ImageService | undefined;

  get service(): ImageService {
    if (this.#service === undefined) throw new Error('not open');
    return this.#service;
  }

  async open(more: Partial<ImageServiceOptions> = {}): Promise<this> {
    await this.#service?.close();
    const hostsDirs = [join(this.root, 'hosts')];
    const retry = { rounds: 2, baseMs: 20, longestMs: 5_000 };
    const fixed = {
      retry,
      // Downloads over loopback would all be too fast to be kept.
      resumeWorthMs: 0,
      root: this.root,
      hostsDirs,
      maxParallelLayers: 3,
      stallTimeoutMs: 1000,
      logger: silentLogger(),
    };
    this.#service = await ImageService.open({ ...fixed, pinned: ['example.test/pinned:v1'], ...more });
    return this;
  }

  async close(): Promise<void> {
    await this.service.close();
    for (const server of this.#servers) {
      server.closeAllConnections();
      server.close();
    }
    rmSync(this.root, { recursive: true, force: true });
  }

  /** Writes the `hosts.toml` of a registry. */
  hosts(registry: string, toml: string): void {
    writeHosts(join(this.root, 'hosts'), registry, toml);
  }

  /** Starts a server and returns its address. */
  async serve(handler: RequestListener): Promise<string> {
    const server = createServer(handler).listen(0, '127.0.0.1');
    this.#servers.push(server);
    await once(server, 'listening');
    return `127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  /** Makes a server the registry of that name. */
  async registry(name: string, handler: RequestListener): Promise<void> {
    this.hosts(name, `server = "http://${await this.serve(handler)}"\n`);
  }

  /** What a pull fails with. */
  async failure(image: string, options?: PullOptions): Promise<{ code: string | undefined; message: string }> {
    try {
      await this.service.pull(image, options);
    } catch (error) {
      return { code: codeOf(error), message: describeError(error) };
    }
    throw new Error(`pulled ${image}`);
  }

  /** Everything that the closed store holds: nothing of a failed pull may stay. */
  async leftovers(): Promise<string[]> {
    await this.service.close();
    return ['layers', 'layer-records', 'records', 'ingest'].flatMap((name) => this.list(name));
  }

  list(directory: string): string[] {
    return readdirSync(join(this.root, 'images', directory)).sort();
  }
}

/** Serves an image as a registry would, noting requests; `replace` gives other bytes for a digest. */
export function serveImage(
  image: FixtureImage,
  seen: string[] = [],
  replace: Readonly<Record<string, Buffer>> = {},
): RequestListener {
  const blobs = new Map([image.manifest, ...image.blobs].map((blob) => [blob.digest, blob]));
  return (request, response) => {
    const url = request.url ?? '';
    seen.push(url);
    const name = (url.split('?')[0] ?? '').split('/').pop() ?? '';
    const blob = name.startsWith('sha256:') ? blobs.get(name) : image.manifest;
    const type = url.includes('/manifests/') ? blob?.mediaType : 'application/octet-stream';
    if (blob === undefined) response.writeHead(404).end();
    else response.writeHead(200, { 'content-type': type }).end(replace[name] ?? blob.data);
  };
}
