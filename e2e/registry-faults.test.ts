import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { status, type ServiceError } from '@grpc/grpc-js';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';

import { imageOf, type Blob } from '../src/image-service/image-fixture.js';
import { makeCertificates, type Certificates } from './faults/certificates.js';
import { FaultProxy, sendAll, type Answer, type Fault } from './faults/fault-proxy.js';
import { COMMON, MORE, type Place, type Trouble } from './faults/faults.js';
import { ISSUER, SERVICE, TokenServer, USER } from './faults/token-server.js';
import { callCri } from './harness/cri.js';
import { openHouse, type House } from './harness/house.js';
import { startRegistry, type Registry } from './harness/registry.js';
import { patience, SETTINGS } from './harness/settings.js';
import { waitFor } from './harness/wait.js';
import { pushAll } from './images/push.js';
import { layoutAs, writeFixture } from './unpack/layouts.js';

const REPOSITORY = 'faults.test/image';
const IMAGE = `${REPOSITORY}:1`;
/** Longer than a registry on a busy machine thinks about an answer. */
const STALL_SECONDS = Math.ceil(patience(8_000) / 1000);
/** bcrypt of the password. */
const HTPASSWD = `${USER.username}:$2b$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n`;

const image = imageOf({
  layers: [
    [{ name: 'one', data: randomBytes(300_000) }],
    [{ name: 'two', data: randomBytes(200_000) }],
    [{ name: 'big', data: randomBytes(6 << 20) }],
  ],
});
const [config, one, two, big] = image.blobs as [Blob, Blob, Blob, Blob];

describe.each(['plain', 'tls', 'basic', 'token'] as const)('a registry (%s) behind a bad network', (kind) => {
  let house: House;
  let registry: Registry;
  let proxy: FaultProxy;
  let tokens: TokenServer | undefined;
  let certificates: Certificates;

  beforeAll(async () => {
    house = await openHouse(({ dir }) =>
      Promise.resolve({ image: { stall_timeout: STALL_SECONDS, namespaced_auth_dir: join(dir, 'auth') } }),
    );
    const dir = join(house.scratch.dir, 'faults');
    await mkdir(dir);
    certificates = await makeCertificates(dir);
    if (kind === 'token') tokens = await TokenServer.start(certificates);
    await fillRegistry(dir);
    registry = await startRegistry(join(dir, 'registry'), await registryOptions(dir));
    proxy = await FaultProxy.start(registry.address, kind === 'tls' ? certificates : undefined);
    await writeHosts();
  });
  afterAll(async () => {
    proxy.close();
    tokens?.close();
    await registry.stop();
    await house.close();
  });
  beforeEach(() => proxy.reset());

  /** The image is pushed to an open registry on the same files. */
  async function fillRegistry(dir: string): Promise<void> {
    const open = await startRegistry(join(dir, 'registry'));
    await writeFixture(join(dir, 'layout'), image);
    await pushAll(open.address, [await layoutAs(join(dir, 'layout'), IMAGE)]);
    await open.stop();
  }

  async function registryOptions(dir: string): Promise<object> {
    const htpasswd = join(dir, 'htpasswd');
    await writeFile(htpasswd, HTPASSWD);
    const { cert, key } = certificates;
    if (kind === 'tls') return { http: { tls: { certificate: cert, key } } };
    if (kind === 'basic') return { auth: { htpasswd: { realm: 'test', path: htpasswd } } };
    if (kind !== 'token') return {};
    return { auth: { token: { realm: tokens?.realm, service: SERVICE, issuer: ISSUER, rootcertbundle: cert } } };
  }

  async function writeHosts(): Promise<void> {
    const dir = join(house.scratch.hosts, 'faults.test');
    await mkdir(dir);
    const ca = kind === 'tls' ? `ca = ${JSON.stringify(certificates.ca)}\n` : '';
    await writeFile(join(dir, 'hosts.toml'), `server = "${proxy.url}/v2/faults.test"\n${ca}override_path = true\n`);
  }

  async function pull(auth: object = USER, namespace = ''): Promise<{ code: string | undefined; details: string }> {
    try {
      const sandboxConfig = { metadata: { namespace } };
      await callCri(house, 'PullImage', { image: { image: IMAGE }, auth, sandboxConfig });
      return { code: 'image', details: '' };
    } catch (error) {
      const { code, details } = error as ServiceError;
      return { code: status[code], details };
    }
  }

  const layersOnDisk = async (): Promise<number> =>
    (await readdir(join(house.scratch.root, 'images', 'layers'))).length;

  /** The fault in its place; in the layer it shows only once the other layers are finished, so that it is known what is. */
  function placed(place: Place, fault: Fault): Fault {
    return async (given: Answer, response) => {
      const at = {
        manifest: given.path.includes('/manifests/'),
        config: given.path.endsWith(config.digest),
        layer: given.path.endsWith(big.digest),
      };
      if (at[place] && place === 'layer')
        await waitFor('other layers', 20_000, async () => ((await layersOnDisk()) >= 2 ? true : undefined));
      await (at[place] ? fault : sendAll)(given, response);
    };
  }

  async function survives({ place, fault, ends, says }: Trouble): Promise<void> {
    proxy.reset(placed(place, fault));
    const ended = await pull();
    expect(ended).toMatchObject({ code: ends });
    if (ends !== 'image') {
      expect(ended.details).toMatch(says ?? /./);
      expect(ended.details).toContain(IMAGE);
      expect((await callCri(house, 'ListImages', {})).images).toEqual([]);
    }
    const finished = (await layersOnDisk()) >= 2;
    if (ends !== 'image' && place === 'layer') expect(finished).toBe(true);
    const sent = proxy.sentOf(big.digest);
    proxy.reset();
    expect((await pull()).code).toBe('image');
    if (finished) expect(proxy.sentOf(one.digest) + proxy.sentOf(two.digest)).toBe(0);
    if (ends === 'image') expect(proxy.passed.filter(({ path }) => path.includes('/blobs/'))).toEqual([]);
    // Nothing but a wrong layer is fetched from its beginning again.
    if (ends === 'UNAVAILABLE' && place === 'layer')
      expect(proxy.sentOf(big.digest)).toBeLessThanOrEqual(big.size - (sent > 1 << 20 ? 1 << 20 : 0));
    const [found] = (await callCri(house, 'ListImages', {})).images ?? [];
    expect(found?.id).toBe(image.id);
    await callCri(house, 'RemoveImage', { image: { image: IMAGE } });
    await waitFor('empty store', 10_000, async () => ((await layersOnDisk()) === 0 ? true : undefined));
  }

  const troubles = kind === 'plain' || SETTINGS.full ? [...COMMON, ...MORE] : COMMON;
  it.each(troubles.map((trouble) => [trouble.what, trouble] as const))('that %s', (_, trouble) => survives(trouble));

  it('lets in only who may come', async () => {
    const wrong = await pull({ username: USER.username, password: 'wrong' });
    const needed = kind === 'basic' || kind === 'token';
    expect(wrong.code).toBe(needed ? 'UNAUTHENTICATED' : 'image');
    expect(wrong.details).not.toContain('wrong');
    expect((await pull()).code).toBe('image');
    await callCri(house, 'RemoveImage', { image: { image: IMAGE } });
  });

  if (kind === 'basic' || kind === 'token') {
    it('lets in a pod by what was left for its namespace, once', async () => {
      const dir = join(house.scratch.dir, 'auth');
      await mkdir(dir);
      const digest = createHash('sha256').update(REPOSITORY).digest('hex');
      const auth = Buffer.from(`${USER.username}:${USER.password}`).toString('base64');
      await writeFile(join(dir, `team-${digest}.json`), JSON.stringify({ auths: { [REPOSITORY]: { auth } } }));
      const codes = [];
      for (const namespace of ['', 'other', 'team', 'team']) codes.push((await pull({}, namespace)).code);
      expect(codes).toEqual(['UNAUTHENTICATED', 'UNAUTHENTICATED', 'image', 'UNAUTHENTICATED']);
      expect(await readdir(dir)).toEqual([]);
      await callCri(house, 'RemoveImage', { image: { image: IMAGE } });
    });
  }

  if (kind === 'token') {
    it('outlasts a token server in trouble, and asks it once for a pull', async () => {
      tokens?.troubles.push((response) => void response.writeHead(503).end());
      tokens?.troubles.push((response) => void response.destroy());
      expect((await pull()).code).toBe('image');
      tokens?.troubles.push((response) => void response.writeHead(200).end('<html>'));
      expect((await pull({ username: 'other', password: 'x' })).code).toMatch(/DATA_LOSS|UNAUTHENTICATED/);
      expect(tokens?.given).toBeLessThanOrEqual(3);
      await callCri(house, 'RemoveImage', { image: { image: IMAGE } });
    });
  }

  it('leaves nothing behind', async () => {
    await registry.stop();
    await house.assertEmpty();
  });
});
