import { mkdir, readFile, writeFile } from 'node:fs/promises';
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

/** Starts Debian's docker-registry with its storage, configuration and log below `dir`, on a free port. */
export async function startRegistry(dir: string): Promise<Registry> {
  await mkdir(dir, { recursive: true });
  const config = join(dir, 'registry.yml');
  const log = join(dir, 'registry.log');
  await writeFile(config, registryConfig(join(dir, 'storage')));
  const service = await startService('docker-registry', ['serve', config], log);
  const address = await waitFor('answer of the registry', 10_000, async () => {
    const found = /listening on (127\.0\.0\.1:\d+)/.exec(await readFile(log, 'utf8'))?.[1];
    if (found !== undefined) await fetch(`http://${found}/v2/`);
    return found;
  });
  return { address, pid: service.pid, stop: () => stopService(service) };
}

/** YAML is a superset of JSON. */
function registryConfig(storage: string): string {
  return JSON.stringify({
    version: '0.1',
    log: { level: 'info', formatter: 'json' },
    storage: { filesystem: { rootdirectory: storage }, delete: { enabled: true } },
    http: { addr: '127.0.0.1:0', secret: 'uploads of one process need no shared secret' },
  });
}
