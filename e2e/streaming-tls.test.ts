import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { runOk } from '../src/base/spawn.js';
import { openHouse, type House } from './harness/house.js';
import { BUSYBOX, runContainer, runPod, writeContainer, writePod } from './harness/pods.js';
import type { Scratch } from './harness/scratch.js';
import { patience } from './harness/settings.js';

/** A certificate of its own. */
async function certificate({ dir }: Scratch): Promise<{ tls_cert: string; tls_key: string }> {
  const [tls_cert, tls_key] = [join(dir, 'cert.pem'), join(dir, 'key.pem')];
  const kind = [
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-days',
    '2',
    '-subj',
    '/CN=localhost',
  ];
  const args = [
    'req',
    '-x509',
    ...kind,
    '-addext',
    'subjectAltName=DNS:localhost',
    '-out',
    tls_cert,
    '-keyout',
    tls_key,
  ];
  await runOk('openssl', args, { timeoutMs: patience(30_000) });
  return { tls_cert, tls_key };
}

describe('crictl and streams with TLS', () => {
  let house: House;
  let files: { tls_cert: string; tls_key: string };
  let podId: string;
  let id: string;
  beforeAll(async () => {
    house = await openHouse(async (scratch) => {
      files = await certificate(scratch);
      return { streaming: files };
    });
    await house.crictl.ok('pull', BUSYBOX);
    const pod = await writePod(house);
    podId = await runPod(house, pod);
    id = await runContainer(house, podId, { pod, container: await writeContainer(house) });
  });
  afterAll(() => house.close());

  it.each(['spdy', 'websocket'])('exec over %s, with the certificate checked', async (transport) => {
    const trust = ['--tls-ca', files.tls_cert, '--tls-cert', files.tls_cert, '--tls-key', files.tls_key];
    expect(await house.crictl.ok('exec', '-r', transport, ...trust, id, 'echo', 'safe')).toBe('safe');
  });

  it('leaves nothing behind', async () => {
    await house.crictl.ok('rmp', '-f', podId);
    await house.assertEmpty();
  });
});
