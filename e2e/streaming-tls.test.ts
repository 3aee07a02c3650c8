import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { runOk } from '../src/base/spawn.js';
import { openHouse, type House } from './harness/house.js';
import { BUSYBOX, runContainer, runPod, writeContainer, writePod, type PodFile } from './harness/pods.js';
import type { Scratch } from './harness/scratch.js';
import { patience } from './harness/settings.js';
import { ask, forwardedPorts, processesOf, StreamingCrictl } from './harness/streams.js';
import { waitFor } from './harness/wait.js';

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

const IDLE_SECONDS = Math.ceil(patience(4));
const SESSIONS = 4;

describe('crictl and streams with TLS, and with limits', () => {
  let house: House;
  let files: { tls_cert: string; tls_key: string };
  let crictl: StreamingCrictl;
  let pod: PodFile;
  let podId: string;
  let id: string;
  beforeAll(async () => {
    house = await openHouse(async (scratch) => {
      files = await certificate(scratch);
      return { streaming: { ...files, idle_timeout: IDLE_SECONDS, max_sessions: SESSIONS } };
    });
    await house.crictl.ok('pull', BUSYBOX);
    crictl = new StreamingCrictl(house);
    pod = await writePod(house);
    podId = await runPod(house, pod);
    id = await runContainer(house, podId, { pod, container: await writeContainer(house) });
  });
  afterAll(() => house.close());

  /** The certificate is checked. */
  const trust = (): string[] => ['--tls-ca', files.tls_cert, '--tls-cert', files.tls_cert, '--tls-key', files.tls_key];

  describe.each(['spdy', 'websocket'])('over %s', (transport) => {
    it('exec', async () => {
      expect(await house.crictl.ok('exec', '-r', transport, ...trust(), id, 'echo', 'safe')).toBe('safe');
    });

    it('attach and port-forward', async () => {
      const command = ['sh', '-c', '(nc -ll -p 80 -e cat) & while read line; do echo "<$line>"; done'];
      const container = await writeContainer(house, { command, stdin: true, stdin_once: true });
      const own = await runContainer(house, podId, { pod, container });
      const client = crictl.attach('-r', transport, ...trust(), own);
      client.say('safe');
      await client.hears('<safe>\n');
      const forward = crictl.start('port-forward', '-r', transport, ...trust(), podId, ':80');
      const [port] = await forwardedPorts(forward, 1);
      await waitFor('an answer', 10_000, async () => ((await ask(port, 'safe')) === 'safe' ? true : undefined));
      forward.kill('SIGKILL');
      await client.kill();
      await house.crictl.ok('rm', '-f', own);
    });
  });

  it('refuses one session more than are allowed, and ends those that idle', async () => {
    const exec = (seconds: string) => crictl.run('', 'exec', '-i', ...trust(), id, 'sleep', seconds);
    const idle = Array.from({ length: SESSIONS }, (_, index) => exec(`910${index}`));
    await waitFor('all sessions', 10_000, async () =>
      (await processesOf(house, id, /^sleep 910/)).length === SESSIONS ? true : undefined,
    );
    const { code, stderr } = await exec('9109');
    expect(code).not.toBe(0);
    expect(stderr).toContain('too many streaming sessions');
    for (const client of await Promise.all(idle)) expect(client.code).not.toBe(0);
    await waitFor('end of the commands', 10_000, async () =>
      (await processesOf(house, id, /^sleep 910/)).length === 0 ? true : undefined,
    );
  });

  it('leaves nothing behind', async () => {
    await house.crictl.ok('rmp', '-f', podId);
    await house.assertEmpty();
  });
});
