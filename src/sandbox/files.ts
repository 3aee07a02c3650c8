import { chmod, chown, readdir, stat, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';

import { errnoOf, invalidArgument } from '../base/errors.js';
import { closeDirectory, ensureDirectory, readText } from '../base/files.js';
import { toHostId, type IdMappings, type UserNamespace } from '../base/id-mapping.js';
import { mount } from '../base/sys/sys.js';
import { contextOption, lsetxattrSync, MS } from '../base/sys/calls.js';
import type { DnsConfig, SandboxConfig, SandboxRecord } from './types.js';

/** Everything of a sandbox below `sandboxes/<id>` of the state that it was made in, gone with a reboot. */
export interface SandboxPaths {
  readonly dir: string;
  readonly rootfs: string;
  readonly resolvConf: string;
  readonly hostname: string;
  readonly hosts: string;
  readonly shm: string;
  /** Where the pod's own user namespace is pinned. */
  readonly userns: string;
}

/** @param settings say where those are whose record does not. */
export function sandboxPaths(
  settings: { readonly stateDir: string },
  { id, stateDir = settings.stateDir }: Pick<SandboxRecord, 'id' | 'stateDir'>,
): SandboxPaths {
  const dir = join(stateDir, 'sandboxes', id);
  const below = (name: string): string => join(dir, name);
  return {
    dir,
    rootfs: below('rootfs'),
    resolvConf: below('resolv.conf'),
    hostname: below('hostname'),
    hosts: below('hosts'),
    shm: below('shm'),
    userns: below('userns'),
  };
}

const SHM_BYTES = 64 * 1024 * 1024;

/** The name that the pod's containers see: as asked, the node's on the node's network, else from the id. */
export function hostnameOf(config: SandboxConfig, id: string): string {
  if (config.namespaces.network === 'node') return hostname();
  return config.hostname === '' ? id.slice(0, 12) : config.hostname;
}

/** Writes resolv.conf, hostname and hosts, which containers without own mounts there see. */
export async function writeSandboxFiles(
  paths: SandboxPaths,
  { id, config, selinux }: Pick<SandboxRecord, 'id' | 'config' | 'selinux'>,
): Promise<void> {
  await ensurePodDirectory(paths.dir, config.userns);
  await ensureDirectory(paths.rootfs, 0o755);
  await ensureDirectory(paths.shm, 0o1777);
  const name = hostnameOf(config, id);
  await Promise.all([
    writeFile(paths.resolvConf, await resolvConf(config.dns), { mode: 0o644 }),
    writeFile(paths.hostname, `${name}\n`, { mode: 0o644 }),
    writeFile(paths.hosts, await hosts(), { mode: 0o644 }),
  ]);
  if (config.userns !== undefined) await giveToPod(paths, config.userns);
  if (selinux !== undefined)
    for (const path of [paths.resolvConf, paths.hostname, paths.hosts]) labelFile(path, selinux.mount);
}

/** On a file system of the daemon's own; one that keeps no labels is fine. */
function labelFile(path: string, label: string): void {
  try {
    lsetxattrSync(path, 'security.selinux', Buffer.from(`${label}\0`));
  } catch (error) {
    if (errnoOf(error) !== 'ENOTSUP') throw error;
  }
}

/** Root of the pod's own user namespace owns what is made for the pod. */
async function giveToPod(paths: SandboxPaths, { uid, gid }: IdMappings): Promise<void> {
  const own = [paths.rootfs, paths.resolvConf, paths.hostname, paths.hosts];
  await Promise.all(own.map((path) => chown(path, toHostId(uid, 0), toHostId(gid, 0))));
}

/** Of `<state>/sandboxes` and `<state>/containers`, which lead to directories alone that are closed each by itself. */
const PASSABLE = 0o711;

/**
 * Makes a directory with files of a pod's, which nobody but root can pass: in a root filesystem a container may make
 * programs that run as root, and what is mounted where is in everybody's mountinfo. The runtime walks there as root of
 * the pod's user namespace, who is nobody special out here: where the pod has its own, the group of that root can pass,
 * too, and not that of another pod's.
 */
export async function ensurePodDirectory(dir: string, userns?: IdMappings): Promise<void> {
  await ensureDirectory(dirname(dir), PASSABLE);
  await ensureDirectory(dir);
  if (userns !== undefined) await openToPod(dir, userns);
}

async function openToPod(dir: string, { gid }: IdMappings): Promise<void> {
  await chown(dir, 0, toHostId(gid, 0));
  await chmod(dir, 0o710);
}

/**
 * Closes the directories of pods and containers below `<state>` that an older version left open; a pod with a user
 * namespace of its own keeps its way to its sandbox's files, which its later containers need.
 */
export async function closePodDirectories(stateDir: string, sandboxes: readonly SandboxRecord[]): Promise<void> {
  for (const kind of ['sandboxes', 'containers']) {
    const parent = join(stateDir, kind);
    const names = await readdir(parent).catch(ignoreMissing);
    await Promise.all(names.map((name) => closePodDirectory(join(parent, name))));
    await closeDirectory(parent, PASSABLE);
  }
  for (const record of sandboxes) {
    const { dir } = sandboxPaths({ stateDir }, record);
    const { userns } = record.config;
    if (userns !== undefined) await openToPod(dir, userns).catch(ignoreMissing);
  }
}

/** To the group of root it is open by nothing but an older version's doing. */
async function closePodDirectory(dir: string): Promise<void> {
  const { gid } = await stat(dir);
  await closeDirectory(dir, gid === 0 ? 0o700 : 0o710);
}

function ignoreMissing(error: unknown): [] {
  if (errnoOf(error) !== 'ENOENT') throw error;
  return [];
}

/** The sandbox's user namespace, where it has one of its own. */
export function usernsOf(paths: SandboxPaths, { userns }: SandboxConfig): UserNamespace | undefined {
  return userns === undefined ? undefined : { ...userns, path: paths.userns };
}

/** The pod's /dev/shm; a pod in the node's IPC namespace uses the node's. */
export async function mountShm(
  target: string,
  { userns, label }: { readonly userns?: IdMappings | undefined; readonly label?: string | undefined } = {},
): Promise<void> {
  const flags = MS.NOSUID | MS.NODEV | MS.NOEXEC;
  const owner = userns === undefined ? '' : `,uid=${toHostId(userns.uid, 0)},gid=${toHostId(userns.gid, 0)}`;
  const context = label === undefined ? '' : `,${contextOption(label)}`;
  await mount({ source: 'shm', target, type: 'tmpfs', flags, data: `mode=1777,size=${SHM_BYTES}${owner}${context}` });
}

/** resolv.conf(5) from the pod's DNS configuration, empty where that says nothing; without one, the node's. */
async function resolvConf(dns: DnsConfig | undefined): Promise<string> {
  if (dns === undefined) return readText('/etc/resolv.conf').catch(() => '');
  const { servers, searches, options } = dns;
  const words = [...servers, ...searches, ...options];
  const bad = words.find((word) => /\s/.test(word));
  if (bad !== undefined) throw invalidArgument(`dns_config: "${bad}" has white space in it`);
  const lines = servers.map((server) => `nameserver ${server}`);
  if (searches.length > 0) lines.push(`search ${searches.join(' ')}`);
  if (options.length > 0) lines.push(`options ${options.join(' ')}`);
  return lines.map((line) => `${line}\n`).join('');
}

function hosts(): Promise<string> {
  return readText('/etc/hosts').catch(() => '127.0.0.1\tlocalhost\n::1\tlocalhost\n');
}
