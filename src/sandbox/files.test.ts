import { readFileSync, statSync } from 'node:fs';
import { hostname } from 'node:os';

import { describe, expect, it } from '@jest/globals';

import { ensurePublicDirectory } from '../base/files.js';
import { unmount } from '../base/sys/sys.js';
import { rejection, useScratch } from '../base/testing.js';
import {
  closePodDirectories,
  ensurePodDirectory,
  hostnameOf,
  mountShm,
  sandboxPaths,
  writeSandboxFiles,
} from './files.js';
import { sandboxName } from './name.js';
import { podConfig } from './testing.js';
import type { DnsConfig, SandboxConfig, SandboxRecord } from './types.js';

const scratch = useScratch('files');
const ID = 'a1b2c3d4e5f6'.padEnd(64, '0');
const onNode = { network: 'node', pid: 'pod', ipc: 'pod' } as const;

async function write(more: Partial<SandboxConfig> = {}) {
  const paths = sandboxPaths({ stateDir: scratch.root }, { id: ID });
  await writeSandboxFiles(paths, { id: ID, config: podConfig(more) });
  return paths;
}

async function resolvConf(dns?: Partial<DnsConfig>): Promise<string> {
  const usual = { servers: [], searches: [], options: [] };
  const { resolvConf: path } = await write(dns === undefined ? {} : { dns: { ...usual, ...dns } });
  return readFileSync(path, 'utf8');
}

describe('resolv.conf', () => {
  const node = readFileSync('/etc/resolv.conf', 'utf8');

  it.each<[Partial<DnsConfig> | undefined, string]>([
    [undefined, node],
    [{}, ''],
    [{ servers: ['10.96.0.10', 'fd00::a'] }, 'nameserver 10.96.0.10\nnameserver fd00::a\n'],
    [
      { servers: ['10.96.0.10'], searches: ['a.svc', 'svc'], options: ['ndots:5', 'edns0'] },
      'nameserver 10.96.0.10\nsearch a.svc svc\noptions ndots:5 edns0\n',
    ],
    [{ options: ['ndots:1'] }, 'options ndots:1\n'],
  ])('of %p', async (dns, text) => {
    expect(await resolvConf(dns)).toBe(text);
  });

  it.each([{ servers: ['1.1.1.1\nnameserver 6.6.6.6'] }, { searches: ['a b'] }, { options: ['x\r'] }])(
    'takes no white space: %j',
    async (dns) => {
      expect(await rejection(resolvConf(dns))).toMatchObject({
        code: 'invalid-argument',
        message: expect.stringContaining('has white space in it'),
      });
    },
  );
});

describe('the sandbox’s files', () => {
  it('are there for its containers to read', async () => {
    const paths = await write();
    expect(readFileSync(paths.hostname, 'utf8')).toBe('web-0\n');
    expect(readFileSync(paths.hosts, 'utf8')).toBe(readFileSync('/etc/hosts', 'utf8'));
    for (const file of [paths.hostname, paths.hosts, paths.resolvConf]) expect(statSync(file).mode & 0o777).toBe(0o644);
    expect(statSync(paths.dir).mode & 0o777).toBe(0o700);
  });

  it.each<[Partial<SandboxConfig>, string]>([
    [{ hostname: 'web-0' }, 'web-0'],
    [{ hostname: '' }, 'a1b2c3d4e5f6'],
    [{ hostname: 'web-0', namespaces: onNode }, hostname()],
  ])('call it, for %p', (more, name) => {
    expect(hostnameOf(podConfig(more), ID)).toBe(name);
  });

  it('have a /dev/shm of their own, for all to write', async () => {
    const { shm } = await write();
    scratch.defer(() => unmount(shm));
    await mountShm(shm);
    expect(statSync(shm).mode & 0o7777).toBe(0o1777);
    const line = readFileSync('/proc/self/mounts', 'utf8')
      .split('\n')
      .find((mount) => mount.includes(shm));
    expect(line).toMatch(/^shm \S+ tmpfs rw,nosuid,nodev,noexec,relatime,size=65536k/);
  });
});

describe('the directories of pods', () => {
  const range = { containerId: 0, hostId: 1_000_000, length: 65_536 };
  const userns = { uid: range, gid: { ...range, hostId: 2_000_000 } };
  const look = (...parts: string[]): string => {
    const { mode, uid, gid } = statSync(scratch.path(...parts));
    return `${(mode & 0o7777).toString(8)} ${uid}:${gid}`;
  };

  it('let nobody pass but root, and the group of root of a pod’s own user namespace', async () => {
    await ensurePodDirectory(scratch.path('containers', 'plain'));
    await ensurePodDirectory(scratch.path('containers', 'own'), userns);
    expect(look('containers')).toBe('711 0:0');
    expect(look('containers', 'plain')).toBe('700 0:0');
    expect(look('containers', 'own')).toBe('710 0:2000000');
  });

  it('are closed where an older version left them open, but to the pods that need theirs', async () => {
    const names = ['containers/a', `sandboxes/${ID}`, 'sandboxes/plain'].map((name) => scratch.path(name));
    for (const path of names) await ensurePublicDirectory(path);
    await ensurePodDirectory(scratch.path('containers', 'own'), userns);
    const record = { id: ID, config: podConfig({ userns }) } as SandboxRecord;
    const gone = { id: 'gone', config: podConfig({ userns }) } as SandboxRecord;
    await closePodDirectories(scratch.root, [record, gone]);
    expect([look('containers'), look('sandboxes')]).toEqual(['711 0:0', '711 0:0']);
    expect([look('containers', 'a'), look('sandboxes', 'plain')]).toEqual(['700 0:0', '700 0:0']);
    expect([look('containers', 'own'), look('sandboxes', ID)]).toEqual(['710 0:2000000', '710 0:2000000']);
  });

  it('may not be there yet', async () => {
    await closePodDirectories(scratch.path('none'), []);
  });
});

it('names a sandbox by its pod and attempt', () => {
  expect(sandboxName({ name: 'web', namespace: 'shop', uid: 'u1', attempt: 2 })).toBe('web_shop_u1_2');
});
