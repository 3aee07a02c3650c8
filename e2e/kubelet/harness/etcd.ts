import { join } from 'node:path';

import { TOOLS } from '../../harness/crictl.js';
import { logFileOf } from '../../harness/log-file.js';
import { freePort } from '../../harness/ports.js';
import type { Scratch } from '../../harness/scratch.js';
import { startService, stopService } from '../../harness/service.js';
import { firstAnswer } from './first-answer.js';

export interface Etcd {
  readonly url: string;
  /** Resolves to the exit code. */
  stop(): Promise<number>;
}

/** Starts an etcd of one member with its data in `dir`; it answers when this resolves. */
export async function startEtcd(scratch: Scratch, dir: string): Promise<Etcd> {
  const [client, peer] = [await localUrl(), await localUrl()];
  const args = [
    ...['--name', 'e2e', '--data-dir', dir, '--log-level', 'warn'],
    ...['--listen-client-urls', client, '--advertise-client-urls', client],
    ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer, '--initial-cluster', `e2e=${peer}`],
    // What it keeps is worth nothing after the suite.
    '--unsafe-no-fsync',
  ];
  const logFile = logFileOf(scratch, 'etcd');
  const service = await startService(join(TOOLS, 'etcd'), args, logFile);
  await firstAnswer(
    { service, server: 'etcd', logFile },
    async () => (await fetch(`${client}/readyz`)).ok || undefined,
  );
  return { url: client, stop: () => stopService(service) };
}

async function localUrl(): Promise<string> {
  return `http://127.0.0.1:${await freePort()}`;
}
