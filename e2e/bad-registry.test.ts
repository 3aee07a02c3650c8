import { readdir } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';

import { openHouse, type House } from './harness/house.js';
import { mirrorTree } from './harness/mirror-tree.js';
import { BUSYBOX } from './harness/pods.js';
import { patience } from './harness/settings.js';
import { waitFor } from './harness/wait.js';

/** What stands between the daemon and the real registry makes of an answer. */
type Spoil = (answer: Answer, response: ServerResponse) => void;

interface Answer {
  readonly path: string;
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: Buffer;
}

const isBlob = ({ path }: Answer): boolean => path.includes('/blobs/');
const isManifest = ({ path }: Answer): boolean => path.includes('/manifests/');

function send({ status, headers, body }: Answer, response: ServerResponse): void {
  response.writeHead(status, { ...headers, 'content-length': body.length }).end(body);
}

/** Sends a part, and closes the connection in the middle of what was announced. */
function breakOff({ status, headers, body }: Answer, response: ServerResponse): void {
  response.writeHead(status, { ...headers, 'content-length': body.length });
  response.write(body.subarray(0, body.length / 2), () => response.destroy());
}

function changed(body: Buffer): Buffer {
  const copy = Buffer.from(body);
  copy.writeUInt8(copy.readUInt8(copy.length >> 1) ^ 1, copy.length >> 1);
  return copy;
}

const HTML: Partial<Answer> = {
  headers: { 'content-type': 'text/html' },
  body: Buffer.from('<html>Please sign in to the airport’s network</html>'),
};

const SPOILS: readonly (readonly [what: string, spoil: Spoil, said: RegExp])[] = [
  ['answers HTML', (answer, response) => send({ ...answer, status: 200, ...HTML }, response), /html/i],
  [
    'answers HTML for a layer',
    (answer, response) => send(isBlob(answer) ? { ...answer, ...HTML } : answer, response),
    /sha256:|html/i,
  ],
  [
    'answers 500',
    (answer, response) => send({ ...answer, status: 500, body: Buffer.from('out of order') }, response),
    /500/,
  ],
  ['breaks off a layer', (answer, response) => (isBlob(answer) ? breakOff : send)(answer, response), /.+/],
  ['breaks off a manifest', (answer, response) => (isManifest(answer) ? breakOff : send)(answer, response), /.+/],
  [
    'changes a layer',
    (answer, response) => send(isBlob(answer) ? { ...answer, body: changed(answer.body) } : answer, response),
    /sha256:/,
  ],
  [
    'changes a manifest',
    (answer, response) => send(isManifest(answer) ? { ...answer, body: changed(answer.body) } : answer, response),
    /.+/,
  ],
];

describe('a registry that cannot be trusted', () => {
  let house: House;
  let proxy: Server;
  let metricsPort: number;
  let spoil: Spoil = send;
  beforeAll(async () => {
    metricsPort = await freePort();
    house = await openHouse(() => Promise.resolve({ metrics: { port: metricsPort } }));
    proxy = createServer((request, response) => {
      void forward(house.registry.address, request).then((answer) => spoil(answer, response));
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    const { port } = proxy.address() as AddressInfo;
    await mirrorTree(house.scratch.hosts, `127.0.0.1:${port}`);
  });
  afterAll(async () => {
    proxy.closeAllConnections();
    proxy.close();
    await house.close();
  });
  beforeEach(() => {
    spoil = send;
  });

  /** Waits until the store has no file, as at the beginning; what is removed goes a moment after the answer. */
  async function emptyStore(): Promise<void> {
    const dir = join(house.scratch.root, 'images');
    await waitFor('empty store', 10_000, async () => {
      const found = await readdir(dir, { recursive: true, withFileTypes: true });
      return found.some((entry) => entry.isFile()) ? undefined : true;
    });
  }

  it.each(SPOILS)(
    'and %s is told of, leaves nothing, and does not spoil the next pull',
    async (_, bad, said) => {
      spoil = bad;
      const { code, stderr } = await house.crictl.run('pull', BUSYBOX);
      expect(code).not.toBe(0);
      expect(stderr).toMatch(/code = (Unavailable|Internal|DataLoss|FailedPrecondition|NotFound)/);
      expect(stderr).toContain(BUSYBOX);
      expect(stderr).toMatch(said);
      expect(await house.crictl.ok('images', '-q')).toBe('');
      await emptyStore();
      spoil = send;
      await house.crictl.ok('pull', BUSYBOX);
      await house.crictl.ok('rmi', BUSYBOX);
      await emptyStore();
    },
    patience(120_000),
  );

  it('is no matter where the image is there already', async () => {
    await house.crictl.ok('pull', BUSYBOX);
    spoil = (answer, response) => send({ ...answer, ...HTML }, response);
    expect((await house.crictl.run('pull', BUSYBOX)).code).not.toBe(0);
    expect(await house.crictl.ok('images', '-q')).not.toBe('');
    await house.crictl.ok('rmi', BUSYBOX);
  });

  it('is told of in metrics', async () => {
    spoil = (answer, response) => send({ ...answer, status: 500 }, response);
    expect((await house.crictl.run('pull', BUSYBOX)).code).not.toBe(0);
    const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
    expect(text).toMatch(/^gantry_image_pull_failures_total\{code="unavailable"\} [1-9]/m);
    expect(text).toMatch(/^gantry_image_pull_duration_seconds_count [1-9]/m);
    expect(text).toMatch(/^gantry_image_pull_bytes_total [1-9]\d{5}/m);
    expect(text).toMatch(/^gantry_rpc_failures_total\{rpc="PullImage",code="unavailable"\} [1-9]/m);
    const { port } = proxy.address() as AddressInfo;
    const inTrouble = new RegExp(
      `^gantry_registry_server_trouble_seconds\\{server="http://127.0.0.1:${port}/v2/registry.k8s.io"\\} [1-9]`,
      'm',
    );
    expect(text).toMatch(inTrouble);
  });

  it('leaves nothing behind', () => house.assertEmpty());
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function forward(registry: string, request: IncomingMessage): Promise<Answer> {
  const path = request.url ?? '/';
  const accept = request.headers.accept ?? '*/*';
  const answer = await fetch(`http://${registry}${path}`, { method: request.method ?? 'GET', headers: { accept } });
  const names = ['content-type', 'docker-content-digest'];
  const headers = Object.fromEntries(names.flatMap((name) => [[name, answer.headers.get(name) ?? '']]));
  return { path, status: answer.status, headers, body: Buffer.from(await answer.arrayBuffer()) };
}
