import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { codeOf } from '../base/errors.js';
import { detectCgroupDriver } from './detect-cgroup-driver.js';
import { loadConfig, loadConfigWithOrigins } from './load-config.js';

let dir: string;
let main: string;
/** What a file must set so that the host's own programs do not matter. */
let programs: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'gantry-config-'));
  main = join(dir, 'gantry.yaml');
  await write('program', '#!/bin/sh\n', 0o755);
  await write('plain', 'text\n', 0o644);
  const program = join(dir, 'program');
  programs = `runtime:\n  monitor: ${program}\n  pause_command: ${program}\n  handlers: { runc: { path: ${program} } }\n`;
});

afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

async function write(name: string, text: string, mode = 0o644): Promise<void> {
  const path = join(dir, name);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text, { mode });
}

/** The problems that loading tells, a line each, with the scratch directory as `DIR`. */
async function problemsOf(text?: string): Promise<string[]> {
  if (text !== undefined) await write('gantry.yaml', text);
  const error: unknown = await loadConfig({ file: main }).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error === undefined) return [];
  expect(codeOf(error)).toBe('invalid-argument');
  return (error as Error).message.replaceAll(dir, 'DIR').split('\n');
}

describe('loadConfig', () => {
  it('gives the defaults where a file sets nothing else', async () => {
    await write('gantry.yaml', programs);
    const config = await loadConfig({ file: main });
    expect(config.root).toBe('/var/lib/gantry');
    expect(config.cgroupDriver).toBe('auto');
    expect(config.network.binDirs).toEqual(['/opt/cni/bin', '/usr/lib/cni']);
    expect(config.image).toEqual({
      pauseImage: '',
      hostsDirs: ['/etc/gantry/certs.d'],
      certsDirs: ['/etc/containers/certs.d', '/etc/docker/certs.d'],
      pinned: [],
      registriesConf: '/etc/containers/registries.conf',
      registriesD: '/etc/containers/registries.d',
      signaturePolicy: '/etc/containers/policy.json',
      authFiles: ['/run/containers/0/auth.json', '/root/.config/containers/auth.json', '/root/.docker/config.json'],
      namespacedAuthDir: '/etc/crio/auth',
      maxParallelLayers: availableParallelism() > 2 ? 3 : 2,
      maxLayerSize: 262_144,
      maxLayerEntries: 4_000_000,
      stallTimeout: 60,
      minRate: 1_024,
    });
    expect(config.runtime.maxParallelCreates).toBeGreaterThanOrEqual(2);
    expect(config.runtime.handlers.get('runc')).toEqual({
      path: join(dir, 'program'),
      root: '/run/gantry/runtime/runc',
      ...{ podAnnotations: [], containerAnnotations: [] },
    });
  });

  it('reads every kind of value', async () => {
    const text = `${programs}root: /data//gantry/\nstate: /run/x\nlisten: unix:///run/x/s.sock
cgroup_driver: cgroupfs
network: { bin_dirs: [ /a, "/b" ], timeout: 5 }
image: { pause_image: "registry.example/pause:3.9", auth_files: ['${dir}/plain'], pinned: [busybox, "r.test/*"] }
streaming: { address: "::1", port: 10010 }
log: { level: debug, format: json }\n`;
    await write('gantry.yaml', text);
    const config = await loadConfig({ file: main });
    expect(config).toMatchObject({
      root: '/data/gantry',
      listen: '/run/x/s.sock',
      cgroupDriver: 'cgroupfs',
      network: { binDirs: ['/a', '/b'], timeout: 5 },
      image: {
        pauseImage: 'registry.example/pause:3.9',
        authFiles: [join(dir, 'plain')],
        pinned: ['busybox', 'r.test/*'],
      },
      streaming: { address: '::1', port: 10010 },
      log: { level: 'debug', format: 'json' },
    });
    expect(config.runtime.handlers.get('runc')?.root).toBe('/run/x/runtime/runc');
  });

  it('chooses the default cgroups by the driver', async () => {
    await write('gantry.yaml', `${programs}cgroup_driver: systemd\n`);
    const { runtime } = await loadConfig({ file: main });
    expect([runtime.monitorCgroup, runtime.cgroupParent]).toEqual(['gantry-monitors.slice', 'gantry.slice']);
  });

  it('merges drop-ins key by key in the order of their names, handlers by name', async () => {
    await write('gantry.yaml', `${programs}log: { level: warn, format: json }\nnetwork: { bin_dirs: [/a, /b] }\n`);
    await write('conf.d/20-b.yaml', 'log: { level: error }\n');
    await write('conf.d/10-a.yaml', 'log: { level: debug }\nnetwork: { bin_dirs: [/c] }\n');
    await write('conf.d/30-c.yaml', `runtime:\n  handlers:\n    other: { path: ${dir}/program, root: /r }\n`);
    await write('conf.d/40-ignored.yml', 'nonsense: 1\n');
    await write('conf.d/.50-hidden.yaml', 'nonsense: 1\n');
    const { config, origins } = await loadConfigWithOrigins({ file: main });
    expect(config.log).toEqual({ level: 'error', format: 'json' });
    expect(config.network.binDirs).toEqual(['/c']);
    expect([...config.runtime.handlers.keys()].sort()).toEqual(['other', 'runc']);
    expect(origins.get('log.level')).toEqual({ file: join(dir, 'conf.d/20-b.yaml'), line: 1 });
    expect(origins.get('log.format')).toEqual({ file: main, line: 5 });
    expect(origins.get('runtime.handlers.other.root')).toEqual({ file: join(dir, 'conf.d/30-c.yaml'), line: 3 });
    expect(origins.has('root')).toBe(false);
  });

  it('tells all problems of all files at once, in reading order', async () => {
    await write('conf.d/10.yaml', 'log: { level: loud }\n');
    const text = `streaming: { port: 70000 }\nroott: /x\n${programs}image:\n  registries_conf: /does/not/exist\n`;
    expect(await problemsOf(text)).toEqual([
      'DIR/gantry.yaml:1: streaming.port: expected a whole number from 0 to 65535, got 70000',
      'DIR/gantry.yaml:2: roott: unknown key, did you mean root?',
      'DIR/gantry.yaml:8: image.registries_conf: /does/not/exist does not exist',
      'DIR/conf.d/10.yaml:1: log.level: expected one of trace, debug, info, warn, error, got "loud"',
    ]);
  });

  it('demands the file that was named, and says what is wrong with it', async () => {
    expect(await problemsOf()).toEqual(['DIR/gantry.yaml: does not exist']);
    await mkdir(main);
    expect((await problemsOf())[0]).toMatch(/^DIR\/gantry.yaml: cannot be read: .* is no file$/);
  });

  it('refuses a drop-in that cannot be read', async () => {
    await mkdir(join(dir, 'conf.d', 'x.yaml'), { recursive: true });
    expect((await problemsOf(programs))[0]).toMatch(/^DIR\/conf.d\/x.yaml: cannot be read: .* is no file$/);
  });

  it('names the drop-in that set a value which fails a later check', async () => {
    await write('conf.d/10.yaml', '\nruntime:\n  monitor: /does/not/exist\n');
    expect(await problemsOf(programs)).toEqual([
      'DIR/conf.d/10.yaml:3: runtime.monitor: /does/not/exist does not exist',
    ]);
  });
});

describe('paths that must exist', () => {
  const cases: readonly (readonly [string, (text: string) => string, string[]])[] = [
    [
      'a handler program that is missing',
      (text) =>
        `${text}    other: { path: /usr/bin/nope }\n`
          .replace('handlers: { runc: ', 'handlers:\n    runc: ')
          .replace('} }', '}'),
      ['DIR/gantry.yaml:6: runtime.handlers.other.path: /usr/bin/nope does not exist'],
    ],
    [
      'a program that is not executable',
      (text) => text.replace(/monitor: .*/, 'monitor: DIR/plain'),
      ['DIR/gantry.yaml:2: runtime.monitor: DIR/plain is not executable'],
    ],
    [
      'a program that is a directory',
      (text) => text.replace(/pause_command: .*/, 'pause_command: DIR'),
      ['DIR/gantry.yaml:3: runtime.pause_command: DIR is not a file'],
    ],
    [
      'no pause program where an image is named',
      (text) =>
        text
          .replace(/pause_command: .*/, 'pause_command: /nope\nimage: { pause_image: a/b }\n#')
          .replace(/\n {2}handlers/, '\n#'),
      [],
    ],
    [
      'a missing registries.conf that was set',
      (text) => `${text}image: { registries_conf: /nope }\n`,
      ['DIR/gantry.yaml:5: image.registries_conf: /nope does not exist'],
    ],
    [
      'directories that appear later',
      (text) => `${text}network: { conf_dir: /nope, bin_dirs: [/nope] }\nimage: { hosts_dirs: [/nope] }\n`,
      [],
    ],
    [
      'a handler without a program',
      (text) => text.replace('handlers: {', 'handlers: { no-such-runtime: {},'),
      [
        expect.stringMatching(
          /^DIR\/gantry.yaml:4: runtime.handlers.no-such-runtime.path: not set, and there is no program/,
        ) as unknown as string,
      ],
    ],
    [
      'a default handler that is not there',
      (text) => text.replace('runtime:\n', 'runtime:\n  default_handler: no-such-runtime\n'),
      [
        expect.stringMatching(
          /^DIR\/gantry.yaml:2: runtime.handlers.no-such-runtime.path: not set/,
        ) as unknown as string,
      ],
    ],
  ];

  it.each(cases)('%s', async (_, edit, expected) => {
    expect(await problemsOf(edit(programs).replaceAll('DIR', dir))).toEqual(expected);
  });
});

describe('values that do not go together', () => {
  it.each([
    ['root: /', 'DIR/gantry.yaml:1: root: must not be /'],
    ['state: /var/lib/gantry', 'DIR/gantry.yaml:1: state: must not be the same directory as root, /var/lib/gantry'],
    [
      'streaming: { tls_cert: /etc/hostname }',
      'DIR/gantry.yaml:1: streaming.tls_cert: streaming.tls_key must be set, too',
    ],
    [
      'streaming: { tls_key: /etc/hostname }',
      'DIR/gantry.yaml:1: streaming.tls_key: streaming.tls_cert must be set, too',
    ],
  ])('%s', async (line, expected) => {
    expect(await problemsOf(`${line}\n${programs}`)).toEqual([expected]);
  });

  it.each([
    ['cgroupfs', 'a.slice', 'expected an absolute path, as cgroup_driver is cgroupfs, got "a.slice"'],
    ['systemd', '/a', 'expected the name of a slice, as cgroup_driver is systemd, got "/a"'],
  ])('%s with cgroup parent %s', async (driver, parent, message) => {
    const text = `${programs}  cgroup_parent: ${parent}\ncgroup_driver: ${driver}\n`;
    expect(await problemsOf(text)).toEqual([`DIR/gantry.yaml:5: runtime.cgroup_parent: ${message}`]);
  });
});

describe('detectCgroupDriver', () => {
  it('keeps what is configured and decides only for auto', () => {
    expect(detectCgroupDriver('systemd')).toBe('systemd');
    expect(detectCgroupDriver('cgroupfs')).toBe('cgroupfs');
    expect(['cgroupfs', 'systemd']).toContain(detectCgroupDriver('auto'));
  });
});
