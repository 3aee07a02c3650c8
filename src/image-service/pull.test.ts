import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';

import { codeOf, describeError } from '../base/errors.js';
import { silentLogger } from '../base/log.js';
import { blobOf, HOST_ARCHITECTURE, imageOf, indexOf, sha256, type Blob, type FixtureImage } from './image-fixture.js';
import { ImageService } from './image-service.js';
import type { PullOptions } from './pull.js';
import { startRegistry, writeHosts, type FixtureRegistry } from './registry-fixture.js';

let base: string;
let registry: FixtureRegistry;
let root: string;
let hosts: string;
let service: ImageService;
const servers: Server[] = [];

beforeAll(async () => {
  base = mkdtempSync(join(tmpdir(), 'gantry-pull-'));
  registry = await startRegistry(join(base, 'registry'));
});
afterAll(async () => {
  await registry.stop();
  rmSync(base, { recursive: true, force: true });
});
beforeEach(async () => {
  root = mkdtempSync(join(base, 'root-'));
  hosts = join(root, 'hosts');
  writeHosts(hosts, 'example.test', `server = "http://${registry.address}"\n`);
  service = await open();
});
afterEach(async () => {
  await service.close();
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

const open = (more: Partial<Parameters<typeof ImageService.open>[0]> = {}): Promise<ImageService> =>
  ImageService.open({
    root,
    hostsDirs: [hosts],
    maxParallelLayers: 3,
    stallTimeoutMs: 1000,
    pinned: ['example.test/pinned:v1'],
    logger: silentLogger(),
    ...more,
  });

const failure = async (
  image: string,
  options?: PullOptions,
): Promise<{ code: string | undefined; message: string }> => {
  try {
    await service.pull(image, options);
  } catch (error) {
    return { code: codeOf(error), message: describeError(error) };
  }
  throw new Error(`pulled ${image}`);
};

/** Nothing of a pull that failed may stay: no layer, no record, and nothing half unpacked. */
const leftovers = async (): Promise<string[]> => {
  await service.close();
  const directory = (name: string): string[] => readdirSync(join(root, 'images', name));
  return ['layers', 'layer-records', 'records', 'ingest'].flatMap(directory);
};

/** A server of a test's own, and its address. */
const serve = async (handler: RequestListener): Promise<string> => {
  const server = createServer(handler).listen(0, '127.0.0.1');
  servers.push(server);
  await once(server, 'listening');
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
};

/** Serves an image as a registry would, counting requests. */
const serveImage = (
  image: FixtureImage,
  seen: string[] = [],
  replace: Readonly<Record<string, Buffer>> = {},
): RequestListener => {
  const blobs = new Map([image.manifest, ...image.blobs].map((blob) => [blob.digest, blob]));
  return (request, response) => {
    const url = request.url ?? '';
    seen.push(url);
    const name = (url.split('?')[0] ?? '').split('/').pop() ?? '';
    const blob = name.startsWith('sha256:') ? blobs.get(name) : image.manifest;
    if (blob === undefined) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, {
      'content-type': url.includes('/manifests/') ? blob.mediaType : 'application/octet-stream',
    });
    response.end(replace[name] ?? blob.data);
  };
};

const hello = imageOf({ layers: [[{ name: 'etc/hello', data: 'hello' }]], config: { Cmd: ['/bin/hello'], User: '7' } });

describe('pull', () => {
  it('gets an image by tag, with its layers, configuration and names', async () => {
    await registry.push('lib/hello', 'v1', hello);
    const image = await service.pull('example.test/lib/hello:v1');
    expect(image).toMatchObject({
      id: hello.id,
      state: 'listed',
      repoTags: ['example.test/lib/hello:v1'],
      repoDigests: [`example.test/lib/hello@${hello.manifest.digest}`],
    });
    expect(image.config).toMatchObject({ cmd: ['/bin/hello'], user: '7', env: [] });
    expect(image.size).toBeGreaterThanOrEqual(4096);
    expect(readFileSync(join(root, 'images/layers/1/etc/hello'), 'utf8')).toBe('hello');
    expect(service.resolve(hello.id.slice(7, 20)).id).toBe(hello.id);
  });

  it('gets an image by digest, and gives it no tag', async () => {
    await registry.push('lib/hello', 'v1', hello);
    const image = await service.pull(`example.test/lib/hello:ignored@${hello.manifest.digest}`);
    expect(image.repoTags).toEqual([]);
    expect(service.resolve(`example.test/lib/hello@${hello.manifest.digest}`).id).toBe(hello.id);
  });

  it('chooses this machine from an index, of OCI and of Docker', async () => {
    for (const docker of [false, true]) {
      const own = imageOf({ layers: [[{ name: `own-${docker}` }]], docker });
      const other = imageOf({ layers: [[{ name: 'other' }]], docker, architecture: 'plan9' });
      const index = indexOf(
        [
          [other, 'plan9'],
          [own, HOST_ARCHITECTURE],
        ],
        docker,
      );
      await registry.push('lib/multi', 'other', other);
      await registry.push('lib/multi', 'own', own);
      await registry.pushManifest('lib/multi', 'latest', index);
      const image = await service.pull('example.test/lib/multi');
      expect([image.id, image.repoDigests]).toEqual([own.id, [`example.test/lib/multi@${index.digest}`]]);
    }
  });

  it('takes layers that are not compressed, whatever their type says', async () => {
    await registry.push(
      'lib/plain',
      'v1',
      imageOf({ layers: [[{ name: 'f', data: 'plain' }]], compress: (tar) => tar }),
    );
    await service.pull('example.test/lib/plain:v1');
    expect(readFileSync(join(root, 'images/layers/1/f'), 'utf8')).toBe('plain');
  });

  it('fetches a shared layer once, and nothing at all of an image that is here', async () => {
    const first = imageOf({ layers: [[{ name: 'base' }], [{ name: 'one' }]] });
    const second = imageOf({ layers: [[{ name: 'base' }], [{ name: 'two' }]] });
    const seen: string[] = [];
    writeHosts(hosts, 'a.test', `server = "http://${await serve(serveImage(first, seen))}"`);
    writeHosts(hosts, 'b.test', `server = "http://${await serve(serveImage(second, seen))}"`);
    await service.pull('a.test/x');
    await service.pull('b.test/x');
    expect(seen.filter((url) => url.includes('/blobs/'))).toHaveLength(5);
    seen.length = 0;
    const again = await service.pull('b.test/x:other');
    expect(seen).toHaveLength(1);
    expect(again.repoTags).toEqual(['b.test/x:latest', 'b.test/x:other']);
    expect(readdirSync(join(root, 'images/layers')).sort()).toEqual(['1', '2', '3']);
  });

  it('pulls once for many callers, and goes on while one of them waits', async () => {
    const big = imageOf({ layers: [[{ name: 'big', data: randomBytes(3_000_000) }], [{ name: 'f' }]] });
    const seen: string[] = [];
    writeHosts(hosts, 'c.test', `server = "http://${await serve(serveImage(big, seen))}"`);
    const leaver = new AbortController();
    const pulls = ['1', '2', '3'].map((tag) =>
      service.pull(`c.test/x:${tag}`, tag === '1' ? { signal: leaver.signal } : {}),
    );
    const first = Promise.resolve(pulls[0]).catch((error: unknown) => codeOf(error));
    setTimeout(() => leaver.abort(), 5);
    const ids = await Promise.all(pulls.slice(1).map(async (pull) => (await pull).id));
    expect(ids).toEqual([big.id, big.id]);
    expect(['cancelled', big.id]).toContain(
      await first.then((value) => (typeof value === 'string' ? value : value?.id)),
    );
    expect(seen.filter((url) => url.includes('/blobs/')).length).toBe(3);
    expect(service.list()[0]?.repoTags).toEqual(expect.arrayContaining(['c.test/x:2', 'c.test/x:3']));
  });

  it('stops when its only caller leaves, and leaves nothing', async () => {
    const address = await serve((request, response) => {
      if (request.url?.includes('/manifests/')) {
        serveImage(hello)(request, response);
        return;
      }
      response.writeHead(200).write('x');
    });
    writeHosts(hosts, 'stuck.test', `server = "http://${address}"`);
    expect((await failure('stuck.test/x', { signal: AbortSignal.timeout(100) })).code).toBe('deadline-exceeded');
    expect(await leftovers()).toEqual([]);
  });

  it('moves a tag to the image that it now stands for', async () => {
    const [old, young] = ['old', 'young'].map((name) => imageOf({ layers: [[{ name }]] }));
    await registry.push('lib/moving', 'v1', old as FixtureImage);
    await service.pull('example.test/lib/moving:v1');
    await registry.push('lib/moving', 'v1', young as FixtureImage);
    await service.pull('example.test/lib/moving:v1');
    expect(service.resolve('example.test/lib/moving:v1').id).toBe(young?.id);
    expect(service.resolve(old?.id ?? '').repoTags).toEqual([]);
  });

  it('knows pinned images by their references', async () => {
    await registry.push('pinned', 'v1', hello);
    expect(service.isPinned(await service.pull('example.test/pinned:v1'))).toBe(true);
  });
});

describe('mirrors', () => {
  it('are asked in order, with the registry last; the error names what each answered', async () => {
    await registry.push('lib/hello', 'v1', hello);
    const seen: string[] = [];
    const refusing = await serve((request, response) => {
      seen.push(request.url ?? '');
      response.writeHead(503).end('<html>busy</html>');
    });
    const mirrors = `[host."http://127.0.0.1:1"]\n[host."http://${refusing}"]\n`;
    writeHosts(hosts, 'm.test', `server = "http://${registry.address}"\n${mirrors}`);
    expect((await service.pull('m.test/lib/hello:v1')).id).toBe(hello.id);
    expect(seen).toEqual(['/v2/lib/hello/manifests/v1?ns=m.test']);
    const { code, message } = await failure('m.test/lib/nope:v1');
    expect(code).toBe('unavailable');
    expect(message).toContain('no answer from http://127.0.0.1:1: ');
    expect(message).toContain(`http://${refusing} answered 503`);
    expect(message).toContain(`http://${registry.address} answered 404`);
  });

  it('without the capability are not asked', async () => {
    const seen: string[] = [];
    const mirror = await serve(serveImage(hello, seen));
    const toml = `[host."http://${mirror}"]\ncapabilities = ["pull"]\n`;
    await registry.push('lib/hello', 'v1', hello);
    writeHosts(hosts, 'cap.test', `server = "http://${registry.address}"\n${toml}`);
    await service.pull('cap.test/lib/hello:v1');
    expect(seen.filter((url) => url.includes('/manifests/'))).toEqual([]);
    expect(seen.filter((url) => url.includes('/blobs/'))).toHaveLength(2);
  });

  it('that serve a wrong layer are passed over', async () => {
    await registry.push('lib/hello', 'v1', hello);
    const layer = hello.blobs[1] as Blob;
    const lie = Buffer.from(layer.data);
    lie.writeUInt8(lie.readUInt8(lie.length - 9) ^ 1, lie.length - 9);
    const bad = await serve(serveImage(hello, [], { [layer.digest]: lie }));
    writeHosts(hosts, 'lie.test', `server = "http://${registry.address}"\n[host."http://${bad}"]\n`);
    const image = await service.pull('lie.test/lib/hello:v1');
    expect(image.id).toBe(hello.id);
    expect(readdirSync(join(root, 'images/layers'))).toHaveLength(1);
  });

  it('may redirect, and credentials stay with the one they are for', async () => {
    const seen: (string | undefined)[] = [];
    const store = await serve((request, response) => {
      seen.push(request.headers.authorization);
      serveImage(hello)(request, response);
    });
    const front = await serve((request, response) => {
      if (request.headers.authorization === undefined) {
        response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
        return;
      }
      if (request.url?.includes('/manifests/')) {
        serveImage(hello)(request, response);
        return;
      }
      response.writeHead(307, { location: `http://${store}${request.url ?? ''}` }).end();
    });
    writeHosts(hosts, 'r.test', `server = "http://${front}"`);
    const auth = { username: 'me', password: 'secret' };
    expect((await service.pull('r.test/x', { auth })).id).toBe(hello.id);
    expect(seen).toEqual([undefined, undefined]);
  });
});

describe('credentials', () => {
  it('answer a basic challenge; without or with wrong ones the pull is refused', async () => {
    const expected = `Basic ${Buffer.from('tester:pw').toString('base64')}`;
    const address = await serve((request, response) => {
      if (request.headers.authorization === expected) {
        serveImage(hello)(request, response);
        return;
      }
      response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
    });
    writeHosts(hosts, 'basic.test', `server = "http://${address}"`);
    expect((await failure('basic.test/x')).code).toBe('unauthenticated');
    const wrong = await failure('basic.test/x', { auth: { username: 'tester', password: 'hunter2' } });
    expect([wrong.code, wrong.message.includes('hunter2')]).toEqual(['unauthenticated', false]);
    const other = { username: 'tester', password: 'pw', serverAddress: 'https://elsewhere.test' };
    expect((await failure('basic.test/x', { auth: other })).code).toBe('unauthenticated');
    const auth = Buffer.from('tester:pw').toString('base64');
    expect((await service.pull('basic.test/x', { auth: { auth } })).id).toBe(hello.id);
  });

  it('get a token where the registry asks for one; mirrors never see them', async () => {
    const seen: string[] = [];
    const tokens = await serve((request, response) => {
      seen.push(`${request.headers.authorization ?? 'anonymous'} ${request.url ?? ''}`);
      response.end(JSON.stringify({ token: 'the-token' }));
    });
    const guarded: RequestListener = (request, response) => {
      if (request.headers.authorization === 'Bearer the-token') {
        serveImage(hello)(request, response);
        return;
      }
      const challenge = `Bearer realm="http://${tokens}/token?a=b",service="reg",scope="repository:x:pull"`;
      response.writeHead(401, { 'www-authenticate': challenge }).end();
    };
    const mirrored: (string | undefined)[] = [];
    const mirror = await serve((request, response) => {
      mirrored.push(request.headers.authorization);
      response.writeHead(401, { 'www-authenticate': 'Basic realm="give me"' }).end();
    });
    writeHosts(hosts, 'token.test', `server = "http://${await serve(guarded)}"\n[host."http://${mirror}"]\n`);
    const auth = { username: 'me', password: 'pw' };
    expect((await service.pull('token.test/x', { auth })).id).toBe(hello.id);
    const basic = `Basic ${Buffer.from('me:pw').toString('base64')}`;
    expect(seen).toEqual([`${basic} /token?a=b&scope=repository%3Ax%3Apull&service=reg`]);
    expect(mirrored.every((header) => header === undefined)).toBe(true);
  });

  it('may be a registry token, or come from the auth file', async () => {
    const guarded: RequestListener = (request, response) => {
      if (request.headers.authorization === 'Bearer raw') {
        serveImage(hello)(request, response);
        return;
      }
      response.writeHead(401).end();
    };
    writeHosts(hosts, 'raw.test', `server = "http://${await serve(guarded)}"`);
    expect((await service.pull('raw.test/x', { auth: { registryToken: 'raw' } })).id).toBe(hello.id);
    await service.close();
    const authFile = join(root, 'auth.json');
    writeFileSync(authFile, JSON.stringify({ auths: { 'raw.test': { registrytoken: 'raw' } } }));
    service = await open({ authFile });
    expect((await service.pull('raw.test/y')).id).toBe(hello.id);
  });
});

describe('what a registry may get wrong', () => {
  const layer = hello.blobs[1] as Blob;
  const sized = (image: FixtureImage, replace: Readonly<Record<string, Buffer>>): RequestListener =>
    serveImage(image, [], replace);
  const manifestAs =
    (body: Buffer, type: string): RequestListener =>
    (_request, response) =>
      void response.writeHead(200, { 'content-type': type }).end(body);
  const spoilt = (spoil: (manifest: Record<string, unknown>) => void): RequestListener =>
    serveImage(imageOf({ layers: [[{ name: 'f' }]], spoil }));
  const MANIFEST = hello.manifest.mediaType;

  const cases: readonly (readonly [string, RequestListener, string, RegExp])[] = [
    [
      'HTML for a manifest',
      manifestAs(Buffer.from('<html>'), 'text/html; charset=utf-8'),
      'data-loss',
      /came as "text\/html", which is no image manifest/,
    ],
    [
      'a manifest that is too long',
      manifestAs(Buffer.alloc(5 << 20, 0x20), MANIFEST),
      'data-loss',
      /longer than 4194304 bytes/,
    ],
    ['a manifest that is not JSON', manifestAs(Buffer.from('{'), MANIFEST), 'data-loss', /is not JSON/],
    [
      'a manifest of another type than announced',
      manifestAs(hello.manifest.data, 'application/vnd.oci.image.index.v1+json'),
      'data-loss',
      /came as .*index.* but says that it is/,
    ],
    [
      'schema 1',
      manifestAs(Buffer.from('{"schemaVersion":1}'), 'application/vnd.docker.distribution.manifest.v1+prettyjws'),
      'unimplemented',
      /schema 1/,
    ],
    [
      'an artifact',
      spoilt(
        (manifest) =>
          (manifest['config'] = {
            ...(manifest['config'] as object),
            mediaType: 'application/vnd.cncf.helm.config.v1+json',
          }),
      ),
      'failed-precondition',
      /no container image/,
    ],
    [
      'an encrypted layer',
      spoilt(
        (manifest) =>
          (manifest['layers'] = [
            {
              ...(manifest['layers'] as object[])[0],
              mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip+encrypted',
            },
          ]),
      ),
      'failed-precondition',
      /unknown type/,
    ],
    [
      'both a manifest and an index',
      spoilt((manifest) => (manifest['manifests'] = [])),
      'data-loss',
      /no valid manifest/,
    ],
    [
      'a malformed digest',
      spoilt((manifest) => (manifest['config'] = { ...(manifest['config'] as object), digest: 'sha256:../../etc' })),
      'data-loss',
      /malformed digest/,
    ],
    [
      'more layers than the configuration lists',
      spoilt(
        (manifest) => (manifest['layers'] = [...(manifest['layers'] as object[]), ...(manifest['layers'] as object[])]),
      ),
      'data-loss',
      /2 layers, but its configuration lists 1/,
    ],
    [
      'a layer with other content',
      sized(hello, { [layer.digest]: Buffer.from(layer.data).fill(0x41, layer.size - 9) }),
      'data-loss',
      /layer sha256:.* (has the digest|broken)/,
    ],
    [
      'a layer that is too long',
      sized(hello, { [layer.digest]: Buffer.concat([layer.data, layer.data]) }),
      'data-loss',
      /is longer than the/,
    ],
    [
      'a layer that is cut off',
      sized(hello, { [layer.digest]: layer.data.subarray(0, 60) }),
      'data-loss',
      /has 60 bytes, where the manifest says|has the/,
    ],
    ['a layer that is a page', sized(hello, { [layer.digest]: Buffer.from('<html>') }), 'data-loss', /has 6 bytes/],
    [
      'a layer with another diff id',
      serveImage(imageOf({ layers: [[{ name: 'f' }]], diffIds: [sha256('other')] })),
      'data-loss',
      /uncompressed digest/,
    ],
    [
      'a layer that leaves the image',
      serveImage(imageOf({ layers: [[{ name: '../evil', data: 'x' }]] })),
      'data-loss',
      /entry "\.\.\/evil"/,
    ],
    [
      'a layer of rubbish',
      serveImage(imageOf({ layers: [[]], compress: () => Buffer.alloc(2048, 7) })),
      'data-loss',
      /checksum|number/,
    ],
    [
      'another machine',
      serveImage(imageOf({ layers: [[]], architecture: 'plan9' })),
      'not-found',
      /is for linux\/plan9/,
    ],
    [
      'a configuration with other content',
      sized(hello, { [hello.blobs[0]?.digest ?? '']: Buffer.alloc(hello.blobs[0]?.size ?? 0, 0x20) }),
      'data-loss',
      /configuration sha256:.* has the digest/,
    ],
    [
      'a connection that breaks',
      (request, response) =>
        request.url?.includes('/blobs/') ? response.destroy() : serveImage(hello)(request, response),
      'unavailable',
      /no answer from/,
    ],
    [
      'redirects without end',
      (request, response) => void response.writeHead(302, { location: request.url ?? '' }).end(),
      'unavailable',
      /redirects more than 10 times/,
    ],
    [
      'silence in a layer',
      (request, response) =>
        request.url?.includes(layer.digest)
          ? response.writeHead(200).write(layer.data.subarray(0, 20))
          : serveImage(hello)(request, response),
      'unavailable',
      /the connection broke while reading blob/,
    ],
    [
      'a missing image',
      (_request, response) =>
        void response
          .writeHead(404, { 'content-type': 'application/json' })
          .end('{"errors":[{"code":"MANIFEST_UNKNOWN","message":"not \\u0007 here"}]}'),
      'not-found',
      /answered 404 for manifests\/latest: MANIFEST_UNKNOWN not \? here/,
    ],
  ];

  it.each(cases)('%s', async (_name, handler, code, message) => {
    writeHosts(hosts, 'bad.test', `server = "http://${await serve(handler)}"`);
    const failed = await failure('bad.test/x');
    expect(failed.message).toMatch(message);
    expect(failed.message).toContain('bad.test/x');
    expect(failed.code).toBe(code);
    expect(await leftovers()).toEqual([]);
  });

  it('a digest that the manifest does not have', async () => {
    const wanted = sha256('something else');
    writeHosts(hosts, 'bad.test', `server = "http://${await serve(manifestAs(hello.manifest.data, MANIFEST))}"`);
    const { code, message } = await failure(`bad.test/x@${wanted}`);
    expect([code, message.includes(`not ${wanted}`)]).toEqual(['data-loss', true]);
  });

  it('a pull works after one that failed', async () => {
    let broken = true;
    const address = await serve((request, response) => {
      if (broken && request.url?.includes(layer.digest)) response.writeHead(500).end();
      else serveImage(hello)(request, response);
    });
    writeHosts(hosts, 'flaky.test', `server = "http://${address}"`);
    expect((await failure('flaky.test/x')).code).toBe('unavailable');
    broken = false;
    expect((await service.pull('flaky.test/x')).id).toBe(hello.id);
  });

  it('an index without an image for this machine says what there is', async () => {
    const index = indexOf([[hello, 'plan9']]);
    writeHosts(hosts, 'bad.test', `server = "http://${await serve(manifestAs(index.data, index.mediaType))}"`);
    expect(await failure('bad.test/x')).toEqual({
      code: 'not-found',
      message: expect.stringContaining('only linux/plan9'),
    });
    const nothing = blobOf(index.mediaType, { schemaVersion: 2, manifests: [] });
    writeHosts(hosts, 'bad.test', `server = "http://${await serve(manifestAs(nothing.data, nothing.mediaType))}"`);
    expect((await failure('bad.test/x')).message).toContain('only nothing');
  });
});
