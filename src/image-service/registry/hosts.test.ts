import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { codeOf, describeError } from '../../base/errors.js';
import { silentLogger } from '../../base/log.js';
import type { Endpoint } from './endpoint.js';
import { parseReference } from './reference.js';
import { Registries } from './registries.js';

let dir: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'gantry-hosts-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const write = (name: string, toml: string): void => {
  mkdirSync(join(dir, name), { recursive: true });
  writeFileSync(join(dir, name, 'hosts.toml'), toml);
};
const endpointsFor = (registry: string, hostsDirs: readonly string[]): Promise<Endpoint[]> =>
  new Registries({ hostsDirs, logger: silentLogger() }).endpointsFor(parseReference(`${registry}/x`));
const bases = async (registry: string, dirs = [dir]): Promise<string[]> =>
  (await endpointsFor(registry, dirs)).map(({ base }) => base);

describe('hosts.toml', () => {
  it('without a file is the registry itself', async () => {
    expect(await bases('docker.io')).toEqual(['https://registry-1.docker.io/v2']);
    expect(await bases('r.test:5000', ['/nonexistent', dir])).toEqual(['https://r.test:5000/v2']);
  });

  it.each(['localhost:5000', '127.0.0.2:5000', '[::1]:5000'])(
    'without a file is plain, too, for %s',
    async (registry) => {
      expect(await bases(registry)).toEqual([`https://${registry}/v2`, `http://${registry}/v2`]);
      write('_default', '[host."https://m"]\n');
      expect(await bases(registry)).toEqual(['https://m/v2', `https://${registry}/v2`, `http://${registry}/v2`]);
      write('_default', 'server = "https://only"');
      expect(await bases(registry)).toEqual(['https://only/v2']);
    },
  );

  it('without a server, or with an empty one, ends with the registry itself', async () => {
    write('docker.io', 'server = ""\n[host."https://m"]\ncapabilities = ["pull", "resolve", "referrers"]\n');
    expect(await bases('docker.io')).toEqual(['https://m/v2', 'https://registry-1.docker.io/v2']);
  });

  it('does not take other names for this machine', async () => {
    for (const registry of ['localhost.test', 'localhost.test:5000', '127.example.test'])
      expect(await bases(registry)).toEqual([`https://${registry}/v2`]);
  });

  it('lists mirrors in the order of the file, then the server', async () => {
    write('quay.io', 'server = "https://quay.io"\n[host."http://b:5000"]\n[host."https://a/cache"]\n[host."c"]\n');
    expect(await bases('quay.io')).toEqual([
      'http://b:5000/v2',
      'https://a/cache/v2',
      'https://c/v2',
      'https://quay.io/v2',
    ]);
  });

  it('prefers the port by underscores, then by colon, then the default, in the first directory that has one', async () => {
    write('_default', 'server = "http://default"');
    expect(await bases('r.test:5000')).toEqual(['http://default/v2']);
    write('r.test:5000', 'server = "http://colon"');
    expect(await bases('r.test:5000')).toEqual(['http://colon/v2']);
    write('r.test_5000_', 'server = "http://underscore"');
    expect(await bases('r.test:5000')).toEqual(['http://underscore/v2']);
    expect(await bases('r.test:5000', [join(dir, 'none'), dir])).toEqual(['http://underscore/v2']);
  });

  it('leaves the default for a directory that only has certificates', async () => {
    write('_default', 'server = "http://default"');
    for (const name of ['r.test:5000', 'r.test_5001_']) mkdirSync(join(dir, name));
    for (const registry of ['r.test:5000', 'r.test:5001']) {
      writeFileSync(join(dir, registry === 'r.test:5000' ? registry : 'r.test_5001_', 'ca.crt'), registry);
      const found = await endpointsFor(registry, [dir]);
      expect(found).toMatchObject([{ base: `https://${registry}/v2`, tls: { ca: [registry] } }]);
    }
  });

  it('with two mistakes is refused for one, and nothing is left to fail', async () => {
    write('r.test', '[host."https://a"]\nca = "none"\n[host."https://b"]\nca = "neither"\n[host."https://c"]\nx = 1\n');
    const unheard: unknown[] = [];
    const note = (error: unknown): void => void unheard.push(error);
    process.on('unhandledRejection', note);
    try {
      await expect(endpointsFor('r.test', [dir])).rejects.toThrow('x is not known');
      write('r.test', '');
      rmSync(join(dir, 'r.test', 'hosts.toml'));
      for (const name of ['a.crt', 'b.cert', 'b.key']) mkdirSync(join(dir, 'r.test', name));
      await expect(endpointsFor('r.test', [dir])).rejects.toThrow(/certificate .* cannot be read/);
      await sleep(50);
    } finally {
      process.off('unhandledRejection', note);
    }
    expect(unheard).toEqual([]);
  });

  it('reads a file anew each time', async () => {
    write('r.test', 'server = "http://one"');
    await bases('r.test');
    write('r.test', 'server = "http://two"');
    expect(await bases('r.test')).toEqual(['http://two/v2']);
  });

  it('reads all keys of a host', async () => {
    write(
      'r.test',
      '[host."https://m/path/"]\ncapabilities = ["pull"]\ndial_timeout = "1m0.5s"\nskip_verify = true\noverride_path = true\nca = "ca.pem"\nclient = [["c.pem", "k.pem"], "both.pem"]\n[host."https://m/path/".header]\nX-Key = ["a", "b"]\n',
    );
    for (const name of ['ca', 'c', 'k', 'both']) writeFileSync(join(dir, 'r.test', `${name}.pem`), name);
    const [mirror, server] = await endpointsFor('r.test', [dir]);
    expect(mirror).toEqual({
      base: 'https://m/path',
      role: 'mirror',
      resolve: false,
      pull: true,
      headers: { 'x-key': 'a, b' },
      dialTimeoutMs: 60_500,
      why: join(dir, 'r.test', 'hosts.toml'),
      tls: {
        skipVerify: true,
        ca: ['ca'],
        client: [
          { cert: 'c', key: 'k' },
          { cert: 'both', key: 'both' },
        ],
      },
    });
    expect(server).toMatchObject({ base: 'https://r.test/v2', role: 'upstream', resolve: true, pull: true });
  });

  it('takes a host that is the registry for the registry', async () => {
    write('r.test:80', '[host."http://r.test"]\n[host."http://other"]\n');
    expect((await endpointsFor('r.test:80', [dir])).map(({ role }) => role)).toEqual([
      'upstream',
      'mirror',
      'upstream',
    ]);
  });

  it.each([
    ['server =', /hosts.toml is not valid TOML/],
    ['server = 5', /hosts.toml: server must be a string/],
    ['sever = "https://x"', /hosts.toml: sever is not known/],
    ['server = "ftp://x"', /"ftp:\/\/x" is not a URL of a registry/],
    ['server = "https://user:pw@x"', /is not a URL of a registry/],
    ['[host."https://m"]\nskip_verify = "yes"', /host."https:\/\/m".skip_verify must be true or false/],
    ['[host."https://m"]\ncapabilities = ["fly"]', /capabilities has the unknown value "fly"/],
    ['[host."https://m"]\nmirror = 1', /host."https:\/\/m".mirror is not known/],
    ['[host]\n"https://m" = 1', /must be a table/],
    ['host = 1', /host must be a table/],
    ['ca = "missing.pem"', /ca .*missing.pem cannot be read/],
    ['dial_timeout = "soon"', /dial_timeout is no duration/],
    ['ca = 7', /ca must name files/],
    ['[header]\nx = 1', /header.x must be strings/],
  ])('refuses %j and names the file', async (toml, message) => {
    write('r.test', toml);
    const error: unknown = await endpointsFor('r.test', [dir]).catch((thrown: unknown) => thrown);
    expect(codeOf(error)).toBe('failed-precondition');
    expect(describeError(error)).toMatch(message);
    expect(describeError(error)).toContain(join(dir, 'r.test', 'hosts.toml'));
  });
});
