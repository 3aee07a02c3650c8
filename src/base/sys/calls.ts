import { closeSync, openSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { basename, dirname, isAbsolute } from 'node:path';

import {
  check,
  cPath,
  libcChdir,
  libcFchdir,
  libcFlock,
  libcIoctl,
  libcLremovexattr,
  libcLsetxattr,
  libcMknod,
  libcMount,
  libcSetns,
  libcSocket,
  libcSyncfs,
  libcUmount2,
  libcUnshare,
  makeSysError,
  raw,
} from './libc.js';

/**
 * Synchronous system calls. The ones on mounts and namespaces can block or change the calling thread: outside
 * the system-call worker use the asynchronous functions of `sys.ts`.
 */

export const MS = {
  RDONLY: 1,
  NOSUID: 2,
  NODEV: 4,
  NOEXEC: 8,
  REMOUNT: 32,
  BIND: 4096,
  REC: 16384,
  PRIVATE: 1 << 18,
} as const;

const AT_EMPTY_PATH = 0x1000;
const O_PATH = 0o10000000;
const MNT_DETACH = 2;
const UMOUNT_NOFOLLOW = 8;
const CLONE_NEWNET = 0x40000000;

export interface MountRequest {
  readonly source: string;
  readonly target: string;
  readonly type?: string;
  readonly flags?: number;
  readonly data?: string;
}

/** mount(2). */
export function mountSync({ source, target, type, flags = 0, data }: MountRequest): void {
  const result = libcMount(source, target, type ?? null, flags, data ?? null) as number;
  check(result, 'mount', `${type ?? 'bind'} ${source} on ${target}`);
}

/** Unmounts everything stacked on `target`; nothing mounted or no such path is fine. */
export function unmountSync(target: string, options: { detach?: boolean } = {}): void {
  const flags = UMOUNT_NOFOLLOW | (options.detach ? MNT_DETACH : 0);
  for (;;) {
    try {
      check(libcUmount2(target, flags) as number, 'umount2', target);
    } catch (error) {
      const { code } = error as { code?: string };
      if (code === 'EINVAL' || code === 'ENOENT' || code === 'ENOTDIR') return;
      throw error;
    }
  }
}

/** True where the kernel has mount_setattr(2) (5.12): recursively read-only and idmapped mounts. */
export function hasMountSetattrSync(): boolean {
  // struct mount_attr { u64 attr_set, attr_clr, propagation, userns_fd }; -1 is no descriptor.
  try {
    check(raw.mountSetattr(-1, AT_EMPTY_PATH, Buffer.alloc(32)), 'mount_setattr', 'nothing');
    return true;
  } catch (error) {
    return (error as { code?: string }).code !== 'ENOSYS';
  }
}

export interface OverlayRequest {
  /** Top layer first, as overlayfs has it. At least one. */
  readonly lower: readonly string[];
  /** The writable layer; without one the overlay is read-only, and needs two layers. */
  readonly upper?: string;
  readonly work?: string;
  readonly target: string;
  /** Skip syncing the upper layer, which a container never needs after a power cut. */
  readonly volatile?: boolean;
  /** The SELinux label of all its files; for kernels that have SELinux. */
  readonly context?: string | undefined;
}

/** Mounts an overlay: by `lowerdir+` (kernel 6.8 and later: any number of layers), else by one page of options. */
export function mountOverlaySync(request: OverlayRequest): void {
  try {
    optionsUnread ??= takesAnyOption();
    if (optionsUnread) mountOverlayByData(request);
    else mountOverlayByConfig(request);
  } catch (error) {
    const { code, syscall } = error as { code?: string; syscall?: string };
    const unknownOption = code === 'EINVAL' && syscall === 'fsconfig lowerdir+';
    if (code !== 'ENOSYS' && !unknownOption) throw error;
    mountOverlayByData(request);
  }
}

/** Asked once: an overlay tried in vain puts a line into the kernel's log. */
let optionsUnread: boolean | undefined;

/** Kernels before 6.5 keep the options of an overlay unread until `create`, and then refuse `lowerdir+`. */
function takesAnyOption(): boolean {
  const SET_STRING = 1;
  const fs = check(raw.fsopen('overlay', 1), 'fsopen', 'overlay');
  try {
    return raw.fsconfig(fs, SET_STRING, 'no-option-of-overlays', '1') >= 0;
  } finally {
    raw.close(fs);
  }
}

function mountOverlayByConfig({ lower, upper, work, target, volatile, context }: OverlayRequest): void {
  const SET_FLAG = 0;
  const SET_STRING = 1;
  const CREATE = 6;
  const fs = check(raw.fsopen('overlay', 1), 'fsopen', 'overlay');
  try {
    const set = (key: string, value: string): void => {
      check(raw.fsconfig(fs, SET_STRING, key, value), `fsconfig ${key}`, value);
    };
    for (const dir of lower) set('lowerdir+', dir);
    if (upper !== undefined) set('upperdir', upper);
    if (work !== undefined) set('workdir', work);
    if (context !== undefined) set('context', context);
    if (volatile) check(raw.fsconfig(fs, SET_FLAG, 'volatile', null), 'fsconfig volatile', target);
    check(raw.fsconfig(fs, CREATE, null, null), 'fsconfig create', `overlay for ${target}`);
    const mounted = check(raw.fsmount(fs, 1), 'fsmount', target);
    try {
      check(raw.moveMount(mounted, target, 4), 'move_mount', target);
    } finally {
      raw.close(mounted);
    }
  } finally {
    raw.close(fs);
  }
}

/** mount(2) takes one page of options and silently cuts the rest, with layers in it. */
const MAX_DATA = 4095;

/** The way for kernels before 6.8. Layers that lie in one directory are named from there: else 127 of them would not fit. */
export function mountOverlayByData(request: OverlayRequest): void {
  const { lower, upper, work, target } = request;
  const parents = new Set(lower.map((dir) => dirname(dir)));
  const [parent = ''] = parents;
  const near =
    parents.size === 1 && [parent, upper, work, target].every((path) => path === undefined || isAbsolute(path));
  if (near)
    insideDirectory(parent, () =>
      mountByOptions(
        request,
        lower.map((dir) => basename(dir)),
      ),
    );
  else mountByOptions(request, lower);
}

function mountByOptions({ upper, work, target, volatile, context }: OverlayRequest, lower: readonly string[]): void {
  const layers = lower.map((dir) => escapeOption(dir).replaceAll(':', '\\:'));
  const options = [`lowerdir=${layers.join(':')}`];
  if (upper !== undefined) options.push(`upperdir=${escapeOption(upper)}`);
  if (work !== undefined) options.push(`workdir=${escapeOption(work)}`);
  if (volatile) options.push('volatile');
  if (context !== undefined) options.push(contextOption(context));
  const data = options.join(',');
  if (Buffer.byteLength(data) > MAX_DATA)
    throw makeSysError(
      'E2BIG',
      'mount',
      `mount overlay on ${target}: the paths of ${lower.length} layers are too long`,
    );
  mountSync({ source: 'overlay', target, type: 'overlay', data });
}

/** mount(8), "context=": quoted, since categories are separated by commas. */
export function contextOption(label: string): string {
  if (/["\\\n\0]/.test(label)) throw makeSysError('EINVAL', 'mount', `"${label}" is no SELinux label`);
  return `context="${label}"`;
}

let ownDirectory = false;

/** Runs `fn` with a working directory of the calling thread alone, not of the process, and goes back. */
function insideDirectory(path: string, fn: () => void): void {
  const CLONE_FS = 0x200;
  if (!ownDirectory) check(libcUnshare(CLONE_FS) as number, 'unshare', 'working directory');
  ownDirectory = true;
  const home = openSync('.', O_PATH);
  try {
    check(libcChdir(path) as number, 'chdir', path);
    fn();
  } finally {
    libcFchdir(home);
    closeSync(home);
  }
}

function escapeOption(path: string): string {
  return path.replace(/[\\,]/g, '\\$&');
}

/** Makes a network namespace, with `lo` up, and pins it by a bind mount on the existing file `path`; the thread stays in its own. */
export function createNetnsSync(path: string): void {
  inOwnNetns(() => {
    check(libcUnshare(CLONE_NEWNET) as number, 'unshare', 'network namespace');
    bringUpLoopbackSync();
    mountSync({ source: '/proc/thread-self/ns/net', target: path, flags: MS.BIND });
  });
}

/** netdevice(7): sets IFF_UP on `lo` of the calling thread's network namespace; its addresses come with that. */
function bringUpLoopbackSync(): void {
  const AF_INET = 2;
  const SOCK_DGRAM_CLOEXEC = 2 | 0o2000000;
  const SIOCSIFFLAGS = 0x8914;
  const IFF_UP_RUNNING = 0x1 | 0x40;
  // struct ifreq { char name[16]; union { short flags; … } }, 40 bytes
  const request = Buffer.alloc(40);
  request.write('lo');
  request.writeUInt16LE(IFF_UP_RUNNING, 16);
  const socket = check(libcSocket(AF_INET, SOCK_DGRAM_CLOEXEC, 0) as number, 'socket', 'for lo');
  try {
    check(libcIoctl(socket, SIOCSIFFLAGS, request) as number, 'ioctl', 'SIOCSIFFLAGS lo');
  } finally {
    raw.close(socket);
  }
}

/** Brings `lo` up in the network namespace pinned at `netns`. */
export function bringUpLoopbackInSync(netns: string): void {
  const fd = openSync(netns, 'r');
  try {
    inOwnNetns(() => {
      check(libcSetns(fd, CLONE_NEWNET) as number, 'setns', netns);
      bringUpLoopbackSync();
    });
  } finally {
    closeSync(fd);
  }
}

/** Writes files (sysctls: absolute paths below /proc/sys/net) as seen from the namespace pinned at `netns`. */
export function writeInNetnsSync(netns: string, files: readonly (readonly [path: string, value: string])[]): void {
  const fd = openSync(netns, 'r');
  try {
    inOwnNetns(() => {
      check(libcSetns(fd, CLONE_NEWNET) as number, 'setns', netns);
      for (const [path, value] of files) writeSysctl(path, value);
    });
  } finally {
    closeSync(fd);
  }
}

function writeSysctl(path: string, value: string): void {
  try {
    writeFileSync(path, value, { flag: 'r+' });
  } catch (error) {
    const { code = 'EIO' } = error as { code?: string };
    throw makeSysError(code, 'write', `write "${value}" to ${path}: ${code}`);
  }
}

/** Runs `fn`, which may change the thread's network namespace, and goes back; a thread that cannot ends. */
function inOwnNetns(fn: () => void): void {
  const home = openSync('/proc/thread-self/ns/net', 'r');
  try {
    fn();
  } finally {
    if ((libcSetns(home, CLONE_NEWNET) as number) !== 0) process.exit(1);
    closeSync(home);
  }
}

/**
 * Runs `fn` in the network namespace at `netns`; for calls that cannot wait, on any thread. A thread that could not go back
 * would serve the node from a pod's network: then the process ends at once.
 */
export function inNetns<T>(netns: string, fn: () => T): T {
  const home = openSync('/proc/thread-self/ns/net', 'r');
  try {
    const pod = openSync(netns, 'r');
    try {
      check(libcSetns(pod, CLONE_NEWNET) as number, 'setns', netns);
      try {
        return fn();
      } finally {
        if ((libcSetns(home, CLONE_NEWNET) as number) !== 0) process.abort();
      }
    } finally {
      closeSync(pod);
    }
  } finally {
    closeSync(home);
  }
}

/** A descriptor that stands for the process, never for a later one with the same number. */
export function pidfdOpenSync(pid: number): number {
  return check(raw.pidfdOpen(pid), 'pidfd_open', String(pid));
}

/** Sends a signal to the process; false if it has ended. */
export function pidfdSignalSync(fd: number, signal: NodeJS.Signals | number): boolean {
  const number = typeof signal === 'number' ? signal : constants.signals[signal];
  try {
    check(raw.pidfdSignal(fd, number), 'pidfd_send_signal', String(signal));
    return true;
  } catch (error) {
    if ((error as { code?: string }).code === 'ESRCH') return false;
    throw error;
  }
}

/** A path or name: text, or the bytes of one that need not be UTF-8. */
export type Bytes = string | Uint8Array;

/** Sets an extended attribute on the path itself, not on what a link points to. */
export function lsetxattrSync(path: Bytes, name: Bytes, value: Uint8Array): void {
  const result = libcLsetxattr(cPath(path), cPath(name), value, value.length, 0) as number;
  check(result, 'lsetxattr', `${display(name)} on ${display(path)}`);
}

/** Removes an extended attribute of the path itself; one that is not there is fine. */
export function lremovexattrSync(path: Bytes, name: Bytes): void {
  const result = libcLremovexattr(cPath(path), cPath(name)) as number;
  try {
    check(result, 'lremovexattr', `${display(name)} on ${display(path)}`);
  } catch (error) {
    if ((error as { code?: string }).code !== 'ENODATA') throw error;
  }
}

/** A path for messages. */
export function display(path: Bytes): string {
  return typeof path === 'string' ? path : Buffer.from(path).toString('utf8');
}

/** Makes a device node, fifo or socket; `mode` has the file type. */
export function mknodSync(path: Bytes, mode: number, device: { major: number; minor: number }): void {
  const { major, minor } = device;
  const encoded =
    (BigInt(minor) & 0xffn) |
    ((BigInt(major) & 0xfffn) << 8n) |
    ((BigInt(minor) & ~0xffn) << 12n) |
    ((BigInt(major) & ~0xfffn) << 32n);
  check(libcMknod(cPath(path), mode, encoded) as number, 'mknod', display(path));
}

/** Takes an exclusive flock(2) on a file, made if need be, until the process ends; false if another one holds it. */
export function tryLockSync(path: string): boolean {
  const LOCK_EX_NB = 2 | 4;
  const fd = openSync(path, 'a', 0o600);
  if ((libcFlock(fd, LOCK_EX_NB) as number) === 0) return true;
  closeSync(fd);
  return false;
}

/** Writes everything of the file system that holds `path` to the disk. */
export function syncFileSystemSync(path: string): void {
  const fd = openSync(path, 'r');
  try {
    check(libcSyncfs(fd) as number, 'syncfs', path);
  } finally {
    closeSync(fd);
  }
}
