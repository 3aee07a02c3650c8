import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { describe, expect, it } from '@jest/globals';

import { codeOf, describeError } from '../../base/errors.js';
import { parseAuthFile, readAuthFile } from './auth-file.js';
import { parseChallenges } from './challenge.js';
import { credentialsFor } from './credentials-for.js';
import { ANONYMOUS, decodeBasic, readAuthConfig, registryOfAddress, type Credentials } from './credentials.js';
import { upstreamOf, type Endpoint } from './endpoint.js';
import { parseReference } from './reference.js';

const encode = (text: string): string => Buffer.from(text).toString('base64');

describe('an AuthConfig', () => {
  it('may have any of its forms', () => {
    expect(readAuthConfig({ username: 'u', password: 'p' })).toEqual({ kind: 'basic', username: 'u', password: 'p' });
    expect(readAuthConfig({ auth: encode('u:p:q') })).toEqual({ kind: 'basic', username: 'u', password: 'p:q' });
    expect(readAuthConfig({ auth: encode('u:p\0\0') })).toEqual({ kind: 'basic', username: 'u', password: 'p' });
    expect(readAuthConfig({ identityToken: 't' })).toEqual({ kind: 'identity', token: 't' });
    expect(readAuthConfig({ registryToken: 't' })).toEqual({ kind: 'registry', token: 't' });
    const placeholder = { username: '00000000-0000-0000-0000-000000000000', password: '', auth: encode('x:') };
    expect(readAuthConfig({ ...placeholder, identityToken: 't' })).toEqual({ kind: 'identity', token: 't' });
    expect(readAuthConfig({ ...placeholder, registryToken: 't' })).toEqual({ kind: 'registry', token: 't' });
    expect(readAuthConfig({ username: '', password: '', auth: '' })).toBe(ANONYMOUS);
  });

  it.each(['no colon', '%%%', encode('secretwithoutcolon'), encode(':secret')])(
    'with the auth %j is refused, without its content',
    (auth) => {
      const error = ((): unknown => {
        try {
          return decodeBasic(auth, 'auth.auth');
        } catch (thrown) {
          return thrown;
        }
      })();
      expect(codeOf(error)).toBe('invalid-argument');
      expect(describeError(error)).toContain('auth.auth is not base64');
      expect(describeError(error)).not.toContain('secret');
      expect(describeError(error)).not.toContain(auth);
    },
  );

  it('names its server in many ways', () => {
    expect(
      ['https://index.docker.io/v1/', 'docker.io', 'registry-1.docker.io', 'https://r.test:5000/v2/'].map(
        registryOfAddress,
      ),
    ).toEqual(['docker.io', 'docker.io', 'docker.io', 'r.test:5000']);
  });
});

describe('an auth file', () => {
  const file = parseAuthFile(
    JSON.stringify({
      auths: {
        'https://index.docker.io/v1/': { auth: encode('hub:1') },
        'r.test': { auth: encode('all:2') },
        'r.test/team': { auth: encode('team:3') },
        'r.test/team/app': { identitytoken: 'app' },
        'empty.test': {},
        'null.test': null,
        'plain.test': { username: 'plain', password: 'p' },
        'both.test': { username: 'ignored', password: 'p', auth: encode('both:1') },
      },
    }),
    'f',
  );

  const find = async (registry: string, repository: string): Promise<Credentials | undefined> =>
    (await file.find(registry, repository))?.credentials;

  it('gives the entry with the longest match, by whole components', async () => {
    expect(await find('docker.io', 'library/x')).toMatchObject({ username: 'hub' });
    expect(await find('r.test', 'other')).toMatchObject({ username: 'all' });
    expect(await find('r.test', 'teamwork')).toMatchObject({ username: 'all' });
    expect(await find('r.test', 'team/x')).toMatchObject({ username: 'team' });
    expect(await find('r.test', 'team/app')).toEqual({ kind: 'identity', token: 'app' });
    expect(await find('plain.test', 'x')).toEqual({ kind: 'basic', username: 'plain', password: 'p' });
    expect(await find('both.test', 'x')).toMatchObject({ username: 'both' });
    expect([await find('empty.test', 'x'), await find('r.test:5000', 'x')]).toEqual([undefined, undefined]);
  });

  it('may be missing; a malformed one is named, without its content', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'gantry-auth-'));
    const path = join(dir, 'auth.json');
    try {
      expect(await (await readAuthFile(path)).find('r.test', 'x')).toBeUndefined();
      const malformed = [
        { auths: { 'https://r.test': { auth: 'secret' } } },
        { auths: { 'r.test': { auth: ['secret'] } } },
        { auths: { 'r.test': 'secret' } },
        { auths: ['secret'] },
        { credHelpers: { 'r.test': { secret: 1 } } },
        { credsStore: ['secret'] },
      ].map((content) => JSON.stringify(content));
      for (const text of ['{"auths": secret', ...malformed]) {
        writeFileSync(path, text);
        const found = readAuthFile(path).then((file) => file.find('r.test', 'x'));
        const error: unknown = await found.catch((thrown: unknown) => thrown);
        expect(codeOf(error)).toBe('failed-precondition');
        expect(describeError(error)).toContain(path);
        expect(describeError(error)).not.toContain('secret');
      }
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
});

describe('a malformed member of an auth file', () => {
  const auths = {
    'r.test': { auth: encode('all:1') },
    'r.test/team': { auth: 'secret' },
    'https://index.docker.io/v1/': { auth: encode('hub:1') },
    'docker.io': {},
  };
  const file = parseAuthFile(JSON.stringify({ auths, credHelpers: { 'helped.test': 1 } }), 'f');

  it("is nobody else's trouble", async () => {
    expect(await file.find('r.test', 'other')).toMatchObject({ credentials: { username: 'all' } });
    expect(await file.find('docker.io', 'library/x')).toMatchObject({ credentials: { username: 'hub' } });
    await expect(file.find('r.test', 'team/x')).rejects.toThrow('the credentials in f cannot be read');
    await expect(file.find('helped.test', 'x')).rejects.toThrow('the credentials in f cannot be read');
  });
});

describe('credentialsFor', () => {
  const reference = parseReference('r.test/team/x');
  const mirror: Endpoint = { ...upstreamOf('mirror.test'), role: 'mirror' };
  const auth = { username: 'cri', password: 'p' };
  const store = parseAuthFile(
    JSON.stringify({ auths: { 'mirror.test': { auth: encode('mirror:1') }, 'r.test': { auth: encode('file:2') } } }),
    'f',
  );

  const credentialsOf = async (...args: Parameters<typeof credentialsFor>): Promise<Credentials> =>
    (await credentialsFor(...args)).credentials;

  it("gives the call's own to the registry only", async () => {
    expect(await credentialsOf(upstreamOf('r.test'), { reference, auth, store })).toMatchObject({ username: 'cri' });
    expect(await credentialsOf(mirror, { reference, auth })).toBe(ANONYMOUS);
    expect(await credentialsOf(mirror, { reference, auth, store })).toMatchObject({ username: 'mirror' });
    const withPort: Endpoint = { ...mirror, base: 'https://other.test:443/v2' };
    const auths = { 'other.test:443': { auth: encode('port:1') } };
    const ported = parseAuthFile(JSON.stringify({ auths }), 'f');
    expect(await credentialsOf(withPort, { reference, store: ported })).toMatchObject({ username: 'port' });
  });

  it('gives those of the file where the call has none, or some for another server', async () => {
    expect(await credentialsOf(upstreamOf('r.test'), { reference, store })).toMatchObject({ username: 'file' });
    const elsewhere = { ...auth, serverAddress: 'https://other.test' };
    expect(await credentialsOf(upstreamOf('r.test'), { reference, auth: elsewhere, store })).toMatchObject({
      username: 'file',
    });
    expect(await credentialsOf(upstreamOf('r.test'), { reference, auth: elsewhere })).toBe(ANONYMOUS);
    const forMirror = { ...auth, serverAddress: 'mirror.test' };
    expect(await credentialsOf(mirror, { reference, auth: forMirror, store })).toMatchObject({ username: 'cri' });
    expect(await credentialsOf(upstreamOf('r.test'), { reference, auth: forMirror })).toBe(ANONYMOUS);
    const same = { ...auth, serverAddress: 'https://r.test/v2/' };
    expect(await credentialsOf(upstreamOf('r.test'), { reference, auth: same })).toMatchObject({ username: 'cri' });
  });
});

describe('parseChallenges', () => {
  it('reads several challenges of one or many headers', () => {
    expect(
      parseChallenges('Basic realm="a, b", Bearer realm="https://t/x",service=s,scope="repository:a:pull,push"'),
    ).toEqual([
      { scheme: 'basic', params: { realm: 'a, b' } },
      { scheme: 'bearer', params: { realm: 'https://t/x', service: 's', scope: 'repository:a:pull,push' } },
    ]);
    expect(parseChallenges(['Negotiate', 'BEARER Realm = "q\\"q"'])).toEqual([
      { scheme: 'negotiate', params: {} },
      { scheme: 'bearer', params: { realm: 'q"q' } },
    ]);
    expect([parseChallenges(undefined), parseChallenges(''), parseChallenges('=", ,')]).toEqual([[], [], []]);
  });
});
