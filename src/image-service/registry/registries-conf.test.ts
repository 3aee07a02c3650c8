import { mkdir, writeFile } from 'node:fs/promises';

import { describe, expect, it } from '@jest/globals';
import { pino } from 'pino';

import { codeOf } from '../../base/errors.js';
import { rejection, thrown, useScratch } from '../../base/testing.js';
import { nameOf, parseReference } from './reference.js';
import { parseRegistriesConf, readRegistriesConf, ruleFor } from './registries-conf.js';
import { Registries } from './registries.js';
import { shortNameReferences } from './short-names.js';

const scratch = useScratch('registries-conf');

/** Each endpoint as `role url`, with what else it says. */
async function ask(image: string, conf: string): Promise<string[]> {
  await writeFile(scratch.path('r.conf'), conf);
  const endpoints = await registries().endpointsFor(parseReference(image));
  return endpoints.map(
    ({ base, path, role, tls }) => `${role} ${base}/${path ?? ''}${tls.skipVerify ? ' insecure' : ''}`,
  );
}

function registries(log: string[] = []): Registries {
  const logger = pino({ level: 'warn' }, { write: (line: string) => void log.push(line) });
  const certsDirs = [scratch.path('certs.d')];
  return new Registries({
    hostsDirs: [scratch.path('hosts')],
    certsDirs,
    registriesConf: scratch.path('r.conf'),
    logger,
  });
}

const MIRRORED = `
[[registry]]
prefix = "r.test/team"
location = "r.test/moved/here"
[[registry.mirror]]
location = "m.test:5000/cache"
[[registry.mirror]]
location = "digests.test"
pull-from-mirror = "digest-only"
[[registry.mirror]]
location = "tags.test"
pull-from-mirror = "tag-only"
`;
const DIGEST = `sha256:${'a'.repeat(64)}`;

describe('registries.conf', () => {
  it('leads to the mirrors that may be asked, then to the location, with the rest of the name', async () => {
    expect(await ask('r.test/team/app:v1', MIRRORED)).toEqual([
      'mirror https://m.test:5000/v2/cache/app',
      'mirror https://tags.test/v2/app',
      'upstream https://r.test/v2/moved/here/app',
    ]);
    expect((await ask(`r.test/team/app@${DIGEST}`, MIRRORED))[1]).toBe('mirror https://digests.test/v2/app');
    expect(await ask('r.test/teams/app', MIRRORED)).toEqual(['upstream https://r.test/v2/']);
  });

  it('mirror-by-digest-only speaks for all mirrors', async () => {
    const conf =
      '[[registry]]\nlocation="r.test"\nmirror-by-digest-only=true\n[[registry.mirror]]\nlocation="m.test"\n';
    expect(await ask('r.test/app', conf)).toEqual(['upstream https://r.test/v2/app']);
    expect(await ask(`r.test/app@${DIGEST}`, conf)).toHaveLength(2);
  });

  it('insecure servers may have any certificate, or none', async () => {
    const conf = '[[registry]]\nlocation = "r.test:5000"\ninsecure = true\n';
    expect(await ask('r.test:5000/a/b', conf)).toEqual([
      'upstream https://r.test:5000/v2/a/b insecure',
      'upstream http://r.test:5000/v2/a/b insecure',
    ]);
  });

  it('knows Docker Hub by its name, and hosts below a domain', async () => {
    expect(await ask('busybox', '[[registry]]\nprefix="docker.io"\nlocation="hub.test/proxy"\n')).toEqual([
      'mirror https://hub.test/v2/proxy/library/busybox',
    ]);
    expect(await ask('q.test/x', '[[registry]]\nprefix="q.test"\nlocation="docker.io/mine"\n')).toEqual([
      'mirror https://registry-1.docker.io/v2/mine/x',
    ]);
    expect(await ask('a.b.test/x', '[[registry]]\nprefix="*.b.test"\nlocation="c.test/all"\n')).toEqual([
      'mirror https://c.test/v2/all/x',
    ]);
    expect(await ask('b.test/x', '[[registry]]\nprefix="*.b.test"\nblocked=true\n')).toHaveLength(1);
    expect(await ask('a.b.test:5000/x', '[[registry]]\nprefix="*.b.test"\nlocation="c.test/all"\n')).toEqual([
      'mirror https://c.test/v2/all/x',
    ]);
    const port = '[[registry]]\nprefix="*.b.test:5000"\nlocation="c.test"\n';
    expect(await ask('a.b.test:5000/x', port)).toEqual(['mirror https://c.test/v2/x']);
    expect(await ask('a.b.test:5001/x', port)).toEqual(['upstream https://a.b.test:5001/v2/']);
  });

  it('takes a place with a slash at its end, and a host in capitals for the same', async () => {
    const conf = '[[registry]]\nprefix="r.test/"\nlocation="M.test/a/"\n[[registry.mirror]]\nlocation="n.test//"\n';
    const places = ['mirror https://n.test/v2/x/y', 'mirror https://M.test/v2/a/x/y'];
    for (const image of ['r.test/x/y', 'R.TEST/x/y']) expect(await ask(image, conf)).toEqual(places);
    const blocked = '[[registry]]\nprefix="Bad.test"\nblocked=true\n';
    for (const image of ['bad.test/x', 'BAD.test/x'])
      expect(codeOf(await rejection(ask(image, blocked)))).toBe('permission-denied');
  });

  it('of tables with one prefix in a file the first counts, and they must not differ in what they forbid', async () => {
    const table = (more: string): string => `[[registry]]\nprefix="r.test"\nlocation="${more}\n`;
    expect(await ask('r.test/x', table('one.test"') + table('two.test"'))).toEqual(['mirror https://one.test/v2/x']);
    for (const key of ['blocked', 'insecure']) {
      const error = await rejection(ask('r.test/x', table(`a.test"\n${key}=true`) + table('a.test"')));
      expect(error.message).toContain(`registry[1].${key} is not what an earlier table says of "r.test"`);
    }
  });

  it('blocks images and says where', async () => {
    const error = await rejection(ask('r.test/bad/x', '[[registry]]\nprefix = "r.test/bad"\nblocked = true\n'));
    expect([codeOf(error), error.message]).toEqual([
      'permission-denied',
      `r.test/bad/x:latest is blocked by ${scratch.path('r.conf')}`,
    ]);
  });

  it('blocks one image of a repository', async () => {
    const one = (image: string): string => `[[registry]]\nprefix = "${image}"\nblocked = true\n`;
    const both = one('r.test/a:old') + one(`r.test/a@${DIGEST}`);
    for (const image of ['r.test/a:old', `r.test/a@${DIGEST}`, `r.test/a:1@${DIGEST}`])
      expect(codeOf(await rejection(ask(image, both)))).toBe('permission-denied');
    for (const image of ['r.test/a', 'r.test/a:older', 'r.test/a:old-2', 'r.test/a/b:old'])
      expect(await ask(image, both)).toHaveLength(1);
    expect(await ask('r.test:5000/x', one('r.test'))).toHaveLength(1);
    const moved = '[[registry]]\nprefix = "r.test/a:old"\nlocation = "m.test/a:new"\n';
    expect((await rejection(ask('r.test/b', moved))).message).toContain('with a tag or digest can only be blocked');
  });

  it('the longest prefix counts', () => {
    const conf = '[[registry]]\nprefix="r.test"\n[[registry]]\nprefix="r.test/a/b"\n[[registry]]\nprefix="r.test/a"\n';
    const { rules } = parseRegistriesConf(conf, 'f');
    const prefixes = ['r.test/a/b', 'r.test/a/b/c', 'r.test/a/bc', 'r.test/x'].map(
      (name) => ruleFor(rules, name)?.prefix,
    );
    expect(prefixes).toEqual(['r.test/a/b', 'r.test/a/b', 'r.test/a', 'r.test']);
  });

  it('drop-ins replace tables of the same prefix and add to the rest, in the order of their names', async () => {
    const [file, dir] = [scratch.path('r.conf'), scratch.path('r.conf.d')];
    await mkdir(dir);
    await writeFile(
      file,
      'unqualified-search-registries=["a.test"]\n[[registry]]\nprefix="r.test"\n[aliases]\n"x"="a.test/x"\n',
    );
    await writeFile(
      `${dir}/20.conf`,
      '[[registry]]\nprefix="r.test"\nlocation="second.test"\n[aliases]\n"y"="a.test/y"\n',
    );
    await writeFile(
      `${dir}/10.conf`,
      '[[registry]]\nprefix="r.test"\nlocation="first.test"\n[aliases]\n"x"=""\n"z"=""\n',
    );
    await writeFile(`${dir}/README`, 'not TOML');
    const conf = await readRegistriesConf(file);
    expect(conf.rules.map(({ location }) => location)).toEqual(['second.test']);
    expect([conf.search, [...conf.aliases.keys()]]).toEqual([['a.test'], ['y']]);
  });

  it('may be missing', async () => {
    const credentialHelpers = ['containers-auth.json'];
    expect(await readRegistriesConf(scratch.path('none'))).toMatchObject({ rules: [], search: [], credentialHelpers });
  });

  it.each([
    ['[registries.search]\nregistries=["x"]', /is the old format/],
    ['[[registry]]\nlocation="https://r.test"', /registry\[0\].prefix "https:\/\/r.test" is no registry/],
    ['[[registry]]\nprefix="*.r.test/x"', /must have no path/],
    ['[[registry]]\nprefix="r.test"\ninsecure="yes"', /insecure must be true or false/],
    ['[[registry]]\nprefix="r.test"\nblokced=true', /blokced is not known/],
    ['[[registry]]\nprefix="r.test"\n[[registry.mirror]]\ninsecure=true', /mirror\[0\].location "" is not host/],
    ['[[registry]]\nprefix="r"\n[[registry.mirror]]\nlocation="m"\npull-from-mirror="never"', /must be one of all/],
    ['registry = 7', /must be a list of tables/],
    ['unqualified-search-registries = ["a/b"]', /has "a\/b", no registry/],
    ['[[registry]]\nlocation="r.test:99999"', /prefix "r.test:99999" is no registry/],
    ['short-name-mode = "loose"', /must be one of permissive/],
    ['[aliases]\nx = 1', /aliases."x" must be a string/],
  ])('refuses %j', (text, message) => {
    const error = thrown(() => parseRegistriesConf(text, '/some/file'));
    expect(codeOf(error)).toBe('failed-precondition');
    expect((error as Error).message).toMatch(message);
    expect((error as Error).message).toContain('/some/file');
  });
});

describe('hosts.toml beside registries.conf', () => {
  it('wins, which is logged once, but lifts no block', async () => {
    await mkdir(scratch.path('hosts', 'r.test'), { recursive: true });
    await writeFile(scratch.path('hosts', 'r.test', 'hosts.toml'), 'server = "https://toml.test"\n');
    await writeFile(
      scratch.path('r.conf'),
      '[[registry]]\nlocation="r.test"\n[[registry]]\nprefix="r.test/x"\nblocked=true\n',
    );
    const log: string[] = [];
    const both = registries(log);
    for (const name of ['a', 'b'])
      expect(await both.endpointsFor(parseReference(`r.test/${name}`))).toMatchObject([
        {
          base: 'https://toml.test/v2',
          why: `${scratch.path('hosts', 'r.test', 'hosts.toml')}, which wins over ${scratch.path('r.conf')}`,
        },
      ]);
    expect(log).toHaveLength(1);
    expect(log[0]).toContain('hosts.toml wins');
    expect(codeOf(await rejection(both.endpointsFor(parseReference('r.test/x'))))).toBe('permission-denied');
  });
});

describe('certs.d', () => {
  it('gives a host its authorities and client certificates', async () => {
    const dir = scratch.path('certs.d', 'r.test:5000');
    await mkdir(dir, { recursive: true });
    for (const name of ['one.crt', 'two.crt', 'me.cert', 'me.key']) await writeFile(`${dir}/${name}`, name);
    const [endpoint] = await registries().endpointsFor(parseReference('r.test:5000/x'));
    const client = [{ cert: 'me.cert', key: 'me.key' }];
    expect(endpoint?.tls).toEqual({ skipVerify: false, ca: ['one.crt', 'two.crt'], client });
    await writeFile(`${dir}/lone.key`, '');
    const error = await rejection(registries().endpointsFor(parseReference('r.test:5000/x')));
    expect(error.message).toBe(`${dir}/lone needs both .cert and .key; authorities end with .crt`);
  });
});

describe('short names', () => {
  const conf = {
    ...parseRegistriesConf('[aliases]\n"tool"="a.test/deep/tool"\n', 'f'),
    search: ['a.test', 'docker.io'],
    credentialHelpers: [],
  };
  const names = (image: string, more: object = {}): string[] =>
    shortNameReferences(image, { shortNames: 'permissive', ...conf, ...more }).map(nameOf);

  it('stand for their alias, or for the name in each search registry, or on Docker Hub', () => {
    expect(names('tool:v2')).toEqual(['a.test/deep/tool']);
    expect(names('x:v1')).toEqual(['a.test/x', 'docker.io/library/x']);
    expect(names('x', { search: [] })).toEqual(['docker.io/library/x']);
    expect(names('tool', { shortNames: 'disabled' })).toHaveLength(2);
  });

  it('are refused where they are ambiguous and nobody can be asked', () => {
    const error = thrown(() => names('x', { shortNames: 'enforcing' }));
    expect(codeOf(error)).toBe('failed-precondition');
    expect(names('x', { shortNames: 'enforcing', search: ['a.test'] })).toEqual(['a.test/x']);
  });
});
