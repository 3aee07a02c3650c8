import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

import { invalidArgument } from '../../base/errors.js';
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
 * the runtime adds by itself (null, zero, full, random, urandom, tty, ptmx, pts).
 * @throws invalid-argument naming a path that is no device.
 */
export function planDevices(asked: readonly ContainerDevice[], privileged: boolean): DevicePlan {
  const own = asked.map((device) => ({
    device: readDevice(device.hostPath, device.containerPath),
    access: access(device),
  }));
  if (privileged) return { devices: [...hostDevices(), ...own.map(({ device }) => device)], rules: [ALLOW_ALL] };
  const rules = own.map(({ device, access }) => ({
    allow: true,
    type: device.type,
    major: device.major,
    minor: device.minor,
    access,
  }));
  return { devices: own.map(({ device }) => device), rules: [DENY_ALL, ...rules] };
}

function access({ hostPath, permissions }: ContainerDevice): string {
  if (!/^[rwm]{0,3}$/.test(permissions)) throw invalidArgument(`device ${hostPath}: bad permissions "${permissions}"`);
  return permissions === '' ? 'rwm' : permissions;
}

function readDevice(hostPath: string, containerPath: string): OciDevice {
  const device = toDevice(hostPath, containerPath);
  if (device === undefined) throw invalidArgument(`${hostPath} is no device`);
  return device;
}

function toDevice(hostPath: string, containerPath: string): OciDevice | undefined {
  const stat = lstatSync(hostPath, { throwIfNoEntry: false });
  if (stat === undefined || !(stat.isCharacterDevice() || stat.isBlockDevice())) return undefined;
  const { major, minor } = split(stat.rdev);
  const type = stat.isBlockDevice() ? 'b' : 'c';
  return { path: containerPath, type, major, minor, fileMode: stat.mode & 0o777, uid: stat.uid, gid: stat.gid };
}

/** dev_t as glibc packs it. */
function split(rdev: number): { major: number; minor: number } {
  const value = BigInt(rdev);
  const major = ((value >> 8n) & 0xfffn) | ((value >> 32n) & ~0xfffn);
  const minor = (value & 0xffn) | ((value >> 12n) & ~0xffn);
  return { major: Number(major), minor: Number(minor) };
}

/** Folders of /dev that every container has of its own. */
const OWN_FOLDERS = new Set(['pts', 'shm', 'fd', 'mqueue', '.lxc', '.lxd-mounts', '.udev']);
const OWN_DEVICES = new Set(['console', 'ptmx']);

function hostDevices(dir = '/dev'): OciDevice[] {
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) return OWN_FOLDERS.has(entry.name) ? [] : hostDevices(path);
    if (OWN_DEVICES.has(entry.name)) return [];
    return toDevice(path, path) ?? [];
  });
}
