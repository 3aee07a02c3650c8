import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import type { Blob, FixtureImage } from './image-fixture.js';

/** A real registry (Debian's docker-registry) on a port of its own. */
export interface FixtureRegistry {
  /** `127.0.0.1:port` */
  readonly address: string;
  push(repository: string, tag: string, image: FixtureImage): Promise<void>;
  pushManifest(repository: string, reference: string, manifest: Blob): Promise<void>;
  stop(): Promise<void>;
}

/** @param extra YAML that is added to its configuration */
export async function startRegistry(directory: string, extra = '', authorization = ''): Promise<FixtureRegistry> {
  const address = `127.0.0.1:${await freePort()}`;
  const config = join(directory, 'registry.yml');
  mkdirSync(directory, { recursive: true });
  const storage = `storage: { filesystem: { rootdirectory: ${directory} }, cache: { blobdescriptor: inmemory } }`;
  writeFileSync(config, `version: 0.1\nlog: { level: error }\n${storage}\nhttp: { addr: '${address}' }\n${extra}`);
  const child = spawn('docker-registry', ['serve', config], { stdio: 'ignore' });
  await listening(address);
  const headers: Record<string, string> = authorization === '' ? {} : { authorization };
  const client: Client = { base: `http://${address}/v2`, headers };
  return {
    address,
    push: async (repository, tag, image) => {
      for (const blob of image.blobs) await pushBlob(client, repository, blob);
      await putManifest(client, `${repository}/manifests/${tag}`, image.manifest);
    },
    pushManifest: (repository, reference, manifest) =>
      putManifest(client, `${repository}/manifests/${reference}`, manifest),
    stop: async () => {
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
    },
  };
}

/** A `hosts.toml` that leads to the registry by plain HTTP. */
export function writeHosts(hostsDir: string, registry: string, toml: string): void {
  mkdirSync(join(hostsDir, registry), { recursive: true });
  writeFileSync(join(hostsDir, registry, 'hosts.toml'), toml);
}

interface Client {
  readonly base: string;
  readonly headers: Record<string, string>;
}

async function pushBlob({ base, headers }: Client, repository: string, { digest, data }: Blob): Promise<void> {
  const started = await fetch(`${base}/${repository}/blobs/uploads/`, { method: 'POST', headers });
  const location = new URL(started.headers.get('location') ?? '', base);
  location.searchParams.set('digest', digest);
  const type = { 'content-type': 'application/octet-stream' };
  await expectStatus(
    fetch(location, { method: 'PUT', body: new Uint8Array(data), headers: { ...headers, ...type } }),
    201,
  );
}

async function putManifest({ base, headers }: Client, path: string, { mediaType, data }: Blob): Promise<void> {
  const all = { ...headers, 'content-type': mediaType };
  await expectStatus(fetch(`${base}/${path}`, { method: 'PUT', body: new Uint8Array(data), headers: all }), 201);
}

async function expectStatus(answer: Promise<Response>, status: number): Promise<void> {
  const got = await answer;
  if (got.status !== status) throw new Error(`registry answered ${got.status}: ${await got.text()}`);
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function listening(address: string): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt++) {
    try {
      await fetch(`http://${address}/v2/`);
      return;
    } catch {
      await sleep(25);
    }
  }
  throw new Error(`no registry at ${address}`);
}
