import { lstatSync, readdirSync, statSync, type Stats } from 'node:fs';
import { join, relative } from 'node:path';

import { errnoOf, invalidArgument } from '../../base/errors.js';
import type { OciDevice, OciDeviceRule } from './types.js';

/** A host device for a container, as CRI's Device has it; `permissions` are of `r`, `w`, `m`. */
export interface ContainerDevice {
  readonly containerPath: string;
  readonly hostPath: string;
  readonly permissions: string;
}

export interface DevicePlan {
  readonly devices: readonly OciDevice[];
  readonly rules: readonly OciDeviceRule[];
}

const ALLOW_ALL: OciDeviceRule = { allow: true, access: 'rwm' };
const DENY_ALL: OciDeviceRule = { allow: false, access: 'rwm' };

/**
 * The devices and the cgroup's rules: everything for a privileged container, else only what is asked for beside what
 * the runtime adds by itself (null, zero, full, random, urandom, tty, ptmx, pts). A folder stands for all devices in
 * it, a link for what it points to.
 * @throws invalid-argument naming a path that is no device.
 */
export function planDevices(asked: readonly ContainerDevice[], privileged: boolean): DevicePlan {
  const own = asked.flatMap((request) => {
    const rights = access(request);
    return readDevices(request).map((device) => ({ device, rights }));
  });
  const rules = own.map(({ device: { type, major, minor }, rights: access }) => ({
    ...{ allow: true, type, major, minor, access },
  }));
  const all = [...(privileged ? hostDevices('/dev') : []), ...own.map(({ device }) => device)];
  const devices = [...new Map(all.map((device) => [device.path, device])).values()];
  return { devices, rules: privileged ? [ALLOW_ALL] : [DENY_ALL, ...rules] };
}

function access({ hostPath, permissions }: ContainerDevice): string {
  if (!/^[rwm]{0,3}$/.test(permissions)) throw invalidArgument(`device ${hostPath}: bad permissions "${permissions}"`);
  return permissions === '' ? 'rwm' : permissions;
}

function readDevices({ hostPath, containerPath }: ContainerDevice): OciDevice[] {
  const stat = statOrNone(() => statSync(hostPath));
  const found = stat?.isDirectory() ? hostDevices(hostPath) : [toDevice(stat, hostPath) ?? []].flat();
  if (found.length === 0) throw invalidArgument(`${hostPath} is no device`);
  return found.map((device) => ({ ...device, path: join(containerPath, relative(hostPath, device.path)) }));
}

/** A path that is gone by now is no device; neither is one that leads nowhere. */
function statOrNone(stat: () => Stats): Stats | undefined {
  try {
    return stat();
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG'].includes(errnoOf(error) ?? '')) return undefined;
    throw error;
  }
}

function toDevice(stat: Stats | undefined, containerPath: string): OciDevice | undefined {
  if (stat === undefined || !(stat.isCharacterDevice() || stat.isBlockDevice())) return undefined;
  const { major, minor } = split(stat.rdev);
  const type = stat.isBlockDevice() ? 'b' : 'c';
  return { path: containerPath, type, major, minor, fileMode: stat.mode & 0o777, uid: stat.uid, gid: stat.gid };
}

/** dev_t as glibc packs it. */
function split(rdev: number): { major: number; minor: number } {
  const value = BigInt(rdev);
  const major = ((value >> 8n) & 0xfffn) | ((value >> 32n) & ~0xfffn);
  const minor = (value & 0xffn) | ((value >> 12n) & 0xffff_ff00n);
  return { major: Number(major), minor: Number(minor) };
}

/** Folders of /dev that every container has of its own. */
const OWN_FOLDERS = new Set(['pts', 'shm', 'fd', 'mqueue', '.lxc', '.lxd-mounts', '.udev']);
const OWN_DEVICES = new Set(['console', 'ptmx']);

function hostDevices(dir: string): OciDevice[] {
  return readdirSync(dir).flatMap((name) => {
    const path = join(dir, name);
    const stat = statOrNone(() => lstatSync(path));
    if (stat?.isDirectory()) return OWN_FOLDERS.has(name) ? [] : hostDevices(path);
    return OWN_DEVICES.has(name) ? [] : (toDevice(stat, path) ?? []);
  });
}
