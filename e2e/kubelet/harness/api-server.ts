import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { TOOLS } from '../../harness/crictl.js';
import { logFileOf } from '../../harness/log-file.js';
import { freePort } from '../../harness/ports.js';
import type { Scratch } from '../../harness/scratch.js';
import { startService, stopService } from '../../harness/service.js';
import { ApiClient, type ApiAccess } from './api-client.js';
import { startEtcd } from './etcd.js';
import { firstAnswer } from './first-answer.js';

export interface ApiServer {
  readonly access: ApiAccess;
  readonly client: ApiClient;
  /** Ends it and its etcd. */
  stop(): Promise<void>;
}

/**
 * Starts an API server with an etcd of its own, on loopback, its files in a directory of the suite's. There is no controller and
 * no scheduler: pods name their node, and have no service account.
 */
export async function startApiServer(scratch: Scratch): Promise<ApiServer> {
  const dir = join(scratch.dir, 'api-server');
  await mkdir(dir);
  const etcd = await startEtcd(scratch, join(dir, 'etcd'));
  const [port, token] = [await freePort(), randomBytes(16).toString('hex')];
  const args = await argumentsFor(dir, { etcd: etcd.url, port, token });
  const [server, logFile] = ['kube-apiserver', logFileOf(scratch, 'kube-apiserver')];
  const service = await startService(join(TOOLS, server), args, logFile);
  const asked = { url: `https://127.0.0.1:${port}`, token };
  const access = await firstAnswer({ service, server, logFile }, () => accessTo(dir, asked));
  const stop = async (): Promise<void> => {
    await stopService(service);
    await etcd.stop();
  };
  return { access, client: new ApiClient(access), stop };
}

/** It makes itself a certificate at its first start. */
async function accessTo(dir: string, server: Omit<ApiAccess, 'ca'>): Promise<ApiAccess> {
  const access = { ...server, ca: await readFile(join(dir, 'certificates', 'apiserver.crt'), 'utf8') };
  // Namespaces are made after it is ready by its own word.
  await new ApiClient(access).get('/api/v1/namespaces/default');
  return access;
}

interface ServerOptions {
  readonly etcd: string;
  readonly port: number;
  readonly token: string;
}

async function argumentsFor(dir: string, { etcd, port, token }: ServerOptions): Promise<string[]> {
  const [key, tokens] = [join(dir, 'service-accounts.pem'), join(dir, 'tokens.csv')];
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  await writeFile(key, privateKey.export({ type: 'sec1', format: 'pem' }));
  await writeFile(tokens, `${token},e2e,e2e,system:masters\n`);
  return [
    ...['--etcd-servers', etcd, '--bind-address', '127.0.0.1', '--secure-port', String(port)],
    // It insists on an address that others could reach it by, and tells it to nobody.
    ...['--advertise-address', '127.0.0.1', '--endpoint-reconciler-type', 'none'],
    ...['--cert-dir', join(dir, 'certificates'), '--token-auth-file', tokens, '--authorization-mode', 'AlwaysAllow'],
    ...['--service-account-issuer', 'https://gantry.test', '--service-cluster-ip-range', '10.96.0.0/24'],
    ...['--service-account-signing-key-file', key, '--service-account-key-file', key],
    ...['--disable-admission-plugins', 'ServiceAccount,TaintNodesByCondition'],
  ];
}
