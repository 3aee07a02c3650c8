import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';

import type { Blob } from './image-fixture.js';
import { hello, PullHouse, serveImage } from './pull-fixture.js';
import { startRegistry, type FixtureRegistry } from './registry-fixture.js';

let base: string;
let registry: FixtureRegistry;
let house: PullHouse;

beforeAll(async () => {
  base = mkdtempSync(join(tmpdir(), 'gantry-registry-'));
  registry = await startRegistry(base);
});
afterAll(async () => {
  await registry.stop();
  rmSync(base, { recursive: true, force: true });
});
beforeEach(async () => {
  house = await new PullHouse().open();
  house.hosts('example.test', `server = "http://${registry.address}"\n`);
});
afterEach(() => house.close());

describe('mirrors', () => {
  it('are asked in order, with the registry last; the error names what each answered', async () => {
    await registry.push('lib/hello', 'v1', hello);
    const seen: string[] = [];
    const refusing = await house.serve((request, response) => {
      seen.push(request.url ?? '');
      response.writeHead(503).end('<html>busy</html>');
    });
    const mirrors = `[host."http://127.0.0.1:1"]\n[host."http://${refusing}"]\n`;
    house.hosts('m.test', `server = "http://${registry.address}"\n${mirrors}`);
    expect((await house.service.pull('m.test/lib/hello:v1')).id).toBe(hello.id);
    expect(seen).toEqual(['/v2/lib/hello/manifests/v1?ns=m.test']);
    const { code, message } = await house.failure('m.test/lib/nope:v1');
    expect(code).toBe('unavailable');
    expect(message).toContain('no answer from http://127.0.0.1:1: ');
    expect(message).toContain(`http://${refusing} answered 503`);
    expect(message).toContain(`http://${registry.address} answered 404`);
  });

  it('without the capability are not asked', async () => {
    const seen: string[] = [];
    const mirror = await house.serve(serveImage(hello, seen));
    const toml = `[host."http://${mirror}"]\ncapabilities = ["pull"]\n`;
    await registry.push('lib/hello', 'v1', hello);
    house.hosts('cap.test', `server = "http://${registry.address}"\n${toml}`);
    await house.service.pull('cap.test/lib/hello:v1');
    expect(seen.filter((url) => url.includes('/manifests/'))).toEqual([]);
    expect(seen.filter((url) => url.includes('/blobs/'))).toHaveLength(2);
  });

  it('that serve a wrong layer are passed over', async () => {
    await registry.push('lib/hello', 'v1', hello);
    const layer = hello.blobs[1] as Blob;
    const lie = Buffer.from(layer.data);
    lie.writeUInt8(lie.readUInt8(lie.length - 9) ^ 1, lie.length - 9);
    const bad = await house.serve(serveImage(hello, [], { [layer.digest]: lie }));
    house.hosts('lie.test', `server = "http://${registry.address}"\n[host."http://${bad}"]\n`);
    const image = await house.service.pull('lie.test/lib/hello:v1');
    expect(image.id).toBe(hello.id);
    expect(house.list('layers')).toHaveLength(1);
  });

  it('may redirect, and credentials stay with the one they are for', async () => {
    const seen: (string | undefined)[] = [];
    const store = await house.serve((request, response) => {
      seen.push(request.headers.authorization);
      serveImage(hello)(request, response);
    });
    const front = await house.serve((request, response) => {
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
    house.hosts('r.test', `server = "http://${front}"`);
    const auth = { username: 'me', password: 'secret' };
    expect((await house.service.pull('r.test/x', { auth })).id).toBe(hello.id);
    expect(seen).toEqual([undefined, undefined]);
  });
});

describe('a server that redirects', () => {
  /** Gives a token to anybody, and content only with it. */
  async function store(seen: (string | undefined)[] = []): Promise<string> {
    const address: string = await house.serve((request, response) => {
      if (request.url?.startsWith('/token')) {
        seen.push(`token: ${request.headers.authorization ?? 'nobody'}`);
        response.end('{"token":"open"}');
        return;
      }
      seen.push(request.headers.authorization);
      if (request.headers.authorization === 'Bearer open') {
        serveImage(hello)(request, response);
        return;
      }
      const challenge = `Bearer realm="http://${address}/token",service="store"`;
      response.writeHead(401, { 'www-authenticate': challenge }).end();
    });
    return address;
  }

  it('to one that asks for a token has that one’s challenge answered, without anybody’s credentials', async () => {
    const seen: (string | undefined)[] = [];
    const target = await store(seen);
    const front = await house.serve((request, response) => {
      expect(request.headers.authorization).toBeUndefined();
      response.writeHead(307, { location: `http://${target}${request.url ?? ''}` }).end();
    });
    house.hosts('r.test', `server = "http://${front}"`);
    const auth = { username: 'me', password: 'secret' };
    expect((await house.service.pull('r.test/x', { auth })).id).toBe(hello.id);
    expect(seen.slice(0, 3)).toEqual([undefined, 'token: nobody', 'Bearer open']);
    expect(seen).not.toContain('token: Basic bWU6c2VjcmV0');
  });

  it('is not blamed for what the other answers', async () => {
    const target = await house.serve((_, response) => void response.writeHead(404).end());
    const front = await house.serve(
      (request, response) => void response.writeHead(307, { location: `http://${target}${request.url ?? ''}` }).end(),
    );
    house.hosts('r.test', `server = "http://${front}"`);
    const { message } = await house.failure('r.test/x');
    expect(message).toContain(
      `http://${target}, to which http://${front} redirects, answered 404 for manifests/latest`,
    );
  });
});

describe('a server that codes its answers', () => {
  const codings = { gzip: gzipSync, deflate: deflateSync, br: brotliCompressSync } as const;

  it.each(Object.entries(codings))('with %s, though it is asked not to, is understood', async (coding, encode) => {
    const asked = new Set<string | undefined>();
    const blobs = new Map([hello.manifest, ...hello.blobs].map((blob) => [blob.digest, blob]));
    await house.registry('coded.test', (request, response) => {
      asked.add(request.headers['accept-encoding']);
      const blob = blobs.get(request.url?.split('/').pop()?.split('?')[0] ?? '') ?? hello.manifest;
      const headers = { 'content-type': blob.mediaType, 'content-encoding': coding };
      response.writeHead(200, headers).end(encode(blob.data));
    });
    expect((await house.service.pull('coded.test/x')).id).toBe(hello.id);
    expect([...asked]).toEqual(['identity']);
  });

  it('in a way that is not known is named', async () => {
    await house.registry(
      'odd.test',
      (_, response) => void response.writeHead(200, { 'content-encoding': 'odd' }).end('x'),
    );
    expect((await house.failure('odd.test/x')).message).toMatch(
      /sends the content coding "odd", which is not asked for/,
    );
  });
});

describe('a registry that may be asked by TLS and by plain HTTP', () => {
  it('is asked one way only once it has answered, and says no more than that', async () => {
    await registry.push('lib/hello', 'v1', hello);
    const seen: string[] = [];
    const plain = await house.serve(serveImage(hello, seen));
    const missing = `${registry.address}/lib/nope:v1`;
    // The second time the way that failed comes last.
    for (let time = 0; time < 2; time++) {
      const { code, message } = await house.failure(missing);
      expect(code).toBe('not-found');
      expect(message).toBe(
        `pull ${missing}: http://${registry.address} answered 404 for manifests/v1: MANIFEST_UNKNOWN manifest unknown`,
      );
    }
    expect((await house.service.pull(`${plain}/x`)).id).toBe(hello.id);
    house.hosts('r.test', `server = "http://${registry.address}"\n[host."https://${registry.address}"]\n`);
    expect((await house.failure('r.test/lib/nope:v1')).message).toContain(`no answer from https://${registry.address}`);
    expect(seen.filter((url) => url.includes('/manifests/'))).toHaveLength(1);
  });
});

describe('credentials', () => {
  it('answer a basic challenge; without or with wrong ones the pull is refused', async () => {
    const expected = `Basic ${Buffer.from('tester:pw').toString('base64')}`;
    const address = await house.serve((request, response) => {
      if (request.headers.authorization === expected) {
        serveImage(hello)(request, response);
        return;
      }
      response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
    });
    house.hosts('basic.test', `server = "http://${address}"`);
    expect((await house.failure('basic.test/x')).code).toBe('unauthenticated');
    const wrong = await house.failure('basic.test/x', { auth: { username: 'tester', password: 'hunter2' } });
    expect([wrong.code, wrong.message.includes('hunter2')]).toEqual(['unauthenticated', false]);
    const other = { username: 'tester', password: 'pw', serverAddress: 'https://elsewhere.test' };
    expect((await house.failure('basic.test/x', { auth: other })).code).toBe('unauthenticated');
    const auth = Buffer.from('tester:pw').toString('base64');
    expect((await house.service.pull('basic.test/x', { auth: { auth } })).id).toBe(hello.id);
  });

  it('get a token where the registry asks for one; mirrors never see them', async () => {
    const seen: string[] = [];
    const tokens = await house.serve((request, response) => {
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
    const mirror = await house.serve((request, response) => {
      mirrored.push(request.headers.authorization);
      response.writeHead(401, { 'www-authenticate': 'Basic realm="give me"' }).end();
    });
    house.hosts('token.test', `server = "http://${await house.serve(guarded)}"\n[host."http://${mirror}"]\n`);
    const auth = { username: 'me', password: 'pw' };
    expect((await house.service.pull('token.test/x', { auth })).id).toBe(hello.id);
    const basic = `Basic ${Buffer.from('me:pw').toString('base64')}`;
    expect(seen).toEqual([`${basic} /token?a=b&scope=repository%3Ax%3Apull&service=reg`]);
    expect(mirrored.every((header) => header === undefined)).toBe(true);
  });

  it('get a token once for several pulls, and a new one when it is refused', async () => {
    let valid = 1;
    let issued = 0;
    const tokens = await house.serve((_request, response) => {
      issued++;
      response.end(JSON.stringify({ token: `token-${issued}`, expires_in: 300 }));
    });
    await house.registry('token.test', (request, response) => {
      if (request.headers.authorization === `Bearer token-${valid}`) serveImage(hello)(request, response);
      else response.writeHead(401, { 'www-authenticate': `Bearer realm="http://${tokens}/",service="reg"` }).end();
    });
    await house.service.pull('token.test/x:1');
    await house.service.pull('token.test/x:2');
    expect(issued).toBe(1);
    valid = 2;
    await house.service.pull('token.test/x:3');
    await house.service.pull('token.test/x:3');
    expect(issued).toBe(2);
    valid = 3;
    await house.service.pull('token.test/x', { auth: { username: 'somebody', password: 'else' } });
    expect(issued).toBe(3);
    valid = 0;
    expect((await house.failure('token.test/x')).code).toBe('unauthenticated');
  });

  it('that are a refresh token get access tokens for it, as OAuth has it', async () => {
    const asked: string[] = [];
    const tokens = await house.serve((request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => (body += chunk.toString()));
      request.on('end', () => {
        asked.push(`${request.method ?? ''} ${request.url ?? ''} ${request.headers.authorization ?? 'none'} ${body}`);
        response.end(JSON.stringify({ access_token: 'fresh', refresh_token: 'another', expires_in: 300 }));
      });
    });
    await house.registry('refresh.test', (request, response) => {
      if (request.headers.authorization === 'Bearer fresh') serveImage(hello)(request, response);
      else response.writeHead(401, { 'www-authenticate': `Bearer realm="http://${tokens}/t",service="reg"` }).end();
    });
    const auth = { username: '<token>', identityToken: 'refresh-secret' };
    for (const tag of ['1', '2']) await house.service.pull(`refresh.test/x:${tag}`, { auth });
    const form = 'grant_type=refresh_token&client_id=gantry&refresh_token=refresh-secret';
    expect(asked).toEqual([`POST /t none scope=repository%3Ax%3Apull&service=reg&${form}`]);
  });

  it.each([302, 307])('that are refresh tokens go over no redirect to another server (%i)', async (status) => {
    const stolen: string[] = [];
    const thief = await house.serve((request, response) => {
      request.on('data', (chunk: Buffer) => stolen.push(chunk.toString()));
      request.on('end', () => response.end(JSON.stringify({ token: 'the-token' })));
    });
    const tokens = await house.serve((_request, response) => {
      response.writeHead(status, { location: `http://${thief}/token` }).end();
    });
    await house.registry('refresh.test', (_request, response) => {
      response.writeHead(401, { 'www-authenticate': `Bearer realm="http://${tokens}/"` }).end();
    });
    const { code, message } = await house.failure('refresh.test/x', { auth: { identityToken: 'refresh-secret' } });
    expect([code, message.includes('refresh-secret')]).toEqual(['unavailable', false]);
    expect(message).toContain(`redirects what is for it alone to http://${thief}`);
    expect(stolen).toEqual([]);
  });

  it('may be a registry token, or come from the auth file', async () => {
    const guarded: RequestListener = (request, response) => {
      if (request.headers.authorization === 'Bearer raw') {
        serveImage(hello)(request, response);
        return;
      }
      response.writeHead(401).end();
    };
    await house.registry('raw.test', guarded);
    expect((await house.service.pull('raw.test/x', { auth: { registryToken: 'raw' } })).id).toBe(hello.id);
    const authFile = join(house.root, 'auth.json');
    writeFileSync(authFile, JSON.stringify({ auths: { 'raw.test': { registrytoken: 'raw' } } }));
    await house.open({ authFiles: [authFile] });
    expect((await house.service.pull('raw.test/y')).id).toBe(hello.id);
  });
});

describe('short names', () => {
  it('on Docker Hub are asked for elsewhere without the credentials for that, unless they name the server', async () => {
    const seen: (string | undefined)[] = [];
    const guard: RequestListener = (request, response) => {
      seen.push(request.headers.authorization);
      response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
    };
    await house.registry('first.test', guard);
    await house.registry('docker.io', guard);
    const registriesConf = join(house.root, 'registries.conf');
    writeFileSync(registriesConf, 'unqualified-search-registries = ["first.test", "docker.io"]\n');
    await house.open({ registriesConf });
    const auth = { username: 'hub', password: 'secret' };
    const basic = `Basic ${Buffer.from('hub:secret').toString('base64')}`;
    await house.failure('app', { auth });
    expect(seen.splice(0)).toEqual([undefined, undefined, basic]);
    await house.failure('app', { auth: { ...auth, serverAddress: 'first.test' } });
    expect(seen.splice(0)).toEqual([undefined, basic, undefined]);
    writeFileSync(registriesConf, 'unqualified-search-registries = ["first.test"]\n');
    await house.failure('app', { auth });
    expect(seen).toEqual([undefined, basic]);
  });

  it('are pulled from the first search registry that has them, and found by the short name again', async () => {
    await registry.push('lib/hello', 'v1', hello);
    const registriesConf = join(house.root, 'registries.conf');
    writeFileSync(registriesConf, 'unqualified-search-registries = ["none.test", "example.test"]\n');
    house.hosts('none.test', `server = "http://${registry.address}/none"\n`);
    await house.open({ registriesConf });
    const image = await house.service.pull('lib/hello:v1');
    expect(image.repoTags).toEqual(['example.test/lib/hello:v1']);
    expect(house.service.resolve('lib/hello:v1').id).toBe(hello.id);
    expect((await house.failure('lib/nothing:v1')).message).toMatch(
      /none.test\/lib\/nothing.*example.test\/lib\/nothing/,
    );
  });
});
