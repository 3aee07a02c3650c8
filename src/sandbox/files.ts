import { chmod, chown, readFile, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';

import { errnoOf, invalidArgument } from '../base/errors.js';
import { ensureDirectory } from '../base/files.js';
import { toHostId, type IdMappings, type UserNamespace } from '../base/id-mapping.js';
import { mount } from '../base/sys/sys.js';
import { contextOption, lsetxattrSync, MS } from '../base/sys/calls.js';
import type { DnsConfig, SandboxConfig, SandboxRecord } from './types.js';

/** Everything of a sandbox below `<state>/sandboxes/<id>`, gone with a reboot. */
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

export function sandboxPaths(stateDir: string, id: string): SandboxPaths {
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

const NO_DNS: DnsConfig = { servers: [], searches: [], options: [] };
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
  await ensureDirectory(paths.dir);
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

/** Root of the pod's own user namespace owns what is made for the pod, and can walk there. */
async function giveToPod(paths: SandboxPaths, { uid, gid }: IdMappings): Promise<void> {
  const own = [paths.rootfs, paths.resolvConf, paths.hostname, paths.hosts];
  await Promise.all(own.map((path) => chown(path, toHostId(uid, 0), toHostId(gid, 0))));
  await Promise.all([paths.dir, dirname(paths.dir)].map((path) => chmod(path, 0o711)));
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

/** resolv.conf(5) from the pod's DNS configuration; without one, or with one that says nothing, the node's. */
async function resolvConf({ servers, searches, options }: DnsConfig = NO_DNS): Promise<string> {
  const words = [...servers, ...searches, ...options];
  if (words.length === 0) return readFile('/etc/resolv.conf', 'utf8').catch(() => '');
  const bad = words.find((word) => /\s/.test(word));
  if (bad !== undefined) throw invalidArgument(`dns_config: "${bad}" has white space in it`);
  const lines = servers.map((server) => `nameserver ${server}`);
  if (searches.length > 0) lines.push(`search ${searches.join(' ')}`);
  if (options.length > 0) lines.push(`options ${options.join(' ')}`);
  return lines.map((line) => `${line}\n`).join('');
}

function hosts(): Promise<string> {
  return readFile('/etc/hosts', 'utf8').catch(() => '127.0.0.1\tlocalhost\n::1\tlocalhost\n');
}
