import { once } from 'node:events';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';

import { startService, stopService } from './service.js';
import { waitFor } from './wait.js';

export interface Registry {
  /** Host and port on loopback. */
  readonly address: string;
  readonly pid: number;
  /** Resolves to the exit code. */
  stop(): Promise<number>;
}

/**
 * Starts Debian's docker-registry with its storage, configuration and log below `dir`, on a free port.
 * @param options of its configuration, over the usual ones; those of `http` are added to them
 */
export async function startRegistry(dir: string, options: { readonly http?: object } = {}): Promise<Registry> {
  await mkdir(dir, { recursive: true });
  const config = join(dir, 'registry.yml');
  const log = join(dir, 'registry.log');
  await writeFile(config, registryConfig(join(dir, 'storage'), options));
  await rm(log, { force: true });
  const service = await startService('docker-registry', ['serve', config], log);
  const address = await waitFor('answer of the registry', 10_000, async () => {
    const found = /listening on (127\.0\.0\.1:\d+)/.exec(await readFile(log, 'utf8'))?.[1];
    if (found !== undefined) await connected(found);
    return found;
  });
  return { address, pid: service.pid, stop: () => stopService(service) };
}

async function connected(address: string): Promise<void> {
  const socket = connect(Number(address.split(':')[1]), '127.0.0.1');
  await once(socket, 'connect');
  socket.destroy();
}

/** YAML is a superset of JSON. */
function registryConfig(storage: string, { http, ...options }: { readonly http?: object }): string {
  return JSON.stringify({
    version: '0.1',
    log: { level: 'info', formatter: 'json' },
    storage: { filesystem: { rootdirectory: storage }, delete: { enabled: true } },
    http: { addr: '127.0.0.1:0', secret: 'uploads of one process need no shared secret', ...http },
    ...options,
  });
}
