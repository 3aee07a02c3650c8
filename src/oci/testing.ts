import { copyFile, mkdir, readdir, rmdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { newId } from '../base/ids.js';
import { runOk } from '../base/spawn.js';
import { until, type Scratch } from '../base/testing.js';
import { createSlots } from './create-slots.js';
import { HostFeatures } from './host-features.js';
import { OciRuntime, type RuntimeOptions } from './runtime.js';
import { Runtimes } from './runtimes.js';
import type { OciSpec } from './spec/types.js';

export const RUNC = '/usr/sbin/runc';
export const CONMON = '/usr/bin/conmon';
const CGROUPS = '/sys/fs/cgroup';

/** A root filesystem with a static busybox in it, for tests that need no image. */
export async function makeRootfs(dir: string): Promise<string> {
  for (const name of ['bin', 'etc', 'proc', 'dev', 'sys', 'tmp']) await mkdir(join(dir, name), { recursive: true });
  await copyFile('/bin/busybox', join(dir, 'bin', 'busybox'));
  const programs = [
    'sh',
    'sleep',
    'echo',
    'cat',
    'id',
    'env',
    'head',
    'setsid',
    'kill',
    'touch',
    'stat',
    'mount',
    'ps',
  ];
  for (const name of programs) await symlink('busybox', join(dir, 'bin', name));
  await writeFile(join(dir, 'etc', 'passwd'), 'root:x:0:0:root:/root:/bin/sh\n');
  return dir;
}

/** A cgroup parent of the test's own, removed in every hierarchy at its end. */
export function ownCgroupParent(scratch: Scratch): string {
  const name = `gantry-unit-${newId().slice(0, 12)}`;
  scratch.defer(() => until(async () => (await Promise.all(await dirsOf(name))).every(Boolean)));
  return `/${name}`;
}

async function dirsOf(name: string): Promise<Promise<boolean>[]> {
  const hierarchies = await readdir(CGROUPS);
  return hierarchies.map((hierarchy) => removeCgroup(join(CGROUPS, hierarchy, name)));
}

/** Bottom up; true once it is gone. */
async function removeCgroup(dir: string): Promise<boolean> {
  const entries = await readdir(dir, { withFileTypes: true }).catch(() => []);
  for (const entry of entries) if (entry.isDirectory()) await removeCgroup(join(dir, entry.name));
  return rmdir(dir).then(
    () => true,
    (error: unknown) => ['ENOENT', 'ENOTDIR'].includes((error as { code: string }).code),
  );
}

/** A runtime with its state in the test's directory; its containers end with the test. */
export function ownRuntime(scratch: Scratch, options: Partial<RuntimeOptions> = {}): OciRuntime {
  const root = scratch.path('runtime');
  scratch.defer(async () => {
    for (const id of await readdir(root).catch(() => []))
      await runOk(RUNC, [`--root=${root}`, 'delete', '--force', id], { timeoutMs: 20_000 });
  });
  const usual = { handler: 'test', path: RUNC, root, cgroupDriver: 'cgroupfs', timeoutMs: 20_000 } as const;
  return new OciRuntime({ ...usual, creates: createSlots(4), ...options });
}

/** Handlers of these names; the first is the default. */
export function testRuntimes(scratch: Scratch, handlers: Readonly<Record<string, OciRuntime>>): Runtimes {
  return new Runtimes({
    byName: new Map(Object.entries(handlers)),
    defaultName: Object.keys(handlers)[0] ?? '',
    host: new HostFeatures(scratch.root),
    usualRoot: scratch.path('usual'),
  });
}

/** An OCI configuration that a shell can run in; `process` and `linux` are laid over it. */
export function minimalSpec(
  rootfs: string,
  cgroup: string,
  more: { readonly process?: Partial<OciSpec['process']>; readonly linux?: Partial<OciSpec['linux']> } = {},
): OciSpec {
  const capabilities = { bounding: [], effective: [], permitted: [] };
  return {
    ociVersion: '1.0.2',
    root: { path: rootfs, readonly: false },
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc', options: [] },
      { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['mode=755'] },
      { destination: '/dev/pts', type: 'devpts', source: 'devpts', options: ['newinstance', 'ptmxmode=0666'] },
    ],
    annotations: {},
    process: {
      ...{ terminal: false, user: { uid: 0, gid: 0 }, args: ['sleep', '60'], env: ['PATH=/bin'], cwd: '/' },
      ...{ capabilities, noNewPrivileges: true },
      ...more.process,
    },
    linux: {
      namespaces: [{ type: 'pid' }, { type: 'mount' }],
      ...{ cgroupsPath: cgroup, devices: [], maskedPaths: [], readonlyPaths: [] },
      resources: { devices: [{ allow: false, access: 'rwm' }] },
      ...more.linux,
    },
  };
}

/** A bundle of the name below the test's directory. */
export async function makeBundle(scratch: Scratch, id: string, spec: OciSpec): Promise<string> {
  const bundle = scratch.path('bundles', id);
  await mkdir(bundle, { recursive: true });
  await writeFile(join(bundle, 'config.json'), JSON.stringify(spec));
  return bundle;
}
