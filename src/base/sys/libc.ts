import { constants } from 'node:os';
import { getSystemErrorMap } from 'node:util';

import koffi from 'koffi';

/**
 * libc and raw system calls that Node lacks. Numbers from 424 on are the same on every architecture. A wrong
 * declaration can crash the process: keep each beside its C prototype and test it.
 */
const libc = koffi.load('libc.so.6');

/* long syscall(long number, ...): one declaration a shape; integers are passed alike with and without "..." */
const sysPidfdOpen = libc.func('syscall', 'long', ['long', 'int', 'uint']);
const sysPidfdSignal = libc.func('syscall', 'long', ['long', 'int', 'int', 'void *', 'uint']);
const sysPidfdGetfd = libc.func('syscall', 'long', ['long', 'int', 'int', 'uint']);
const sysOpenat2 = libc.func('syscall', 'long', ['long', 'int', 'str', 'void *', 'size_t']);
const sysFsopen = libc.func('syscall', 'long', ['long', 'str', 'uint']);
const sysFsconfig = libc.func('syscall', 'long', ['long', 'int', 'uint', 'str', 'str', 'int']);
const sysFsmount = libc.func('syscall', 'long', ['long', 'int', 'uint', 'uint']);
const sysMoveMount = libc.func('syscall', 'long', ['long', 'int', 'str', 'int', 'str', 'uint']);
const sysMountSetattr = libc.func('syscall', 'long', ['long', 'int', 'str', 'uint', 'void *', 'size_t']);
const sysOpenTree = libc.func('syscall', 'long', ['long', 'int', 'str', 'uint']);
const sysClose = libc.func('close', 'int', ['int']);

export const libcMount = libc.func('mount', 'int', ['str', 'str', 'str', 'ulong', 'str']);
export const libcUmount2 = libc.func('umount2', 'int', ['str', 'int']);
export const libcUnshare = libc.func('unshare', 'int', ['int']);
export const libcSetns = libc.func('setns', 'int', ['int', 'int']);
export const libcSocket = libc.func('socket', 'int', ['int', 'int', 'int']);
export const libcConnect = libc.func('connect', 'int', ['int', 'void *', 'uint']);
export const libcSend = libc.func('send', 'long', ['int', 'void *', 'size_t', 'int']);
export const libcMallocTrim = libc.func('malloc_trim', 'int', ['size_t']);
export const libcPoll = libc.func('poll', 'int', ['void *', 'ulong', 'int']);
export const libcDup2 = libc.func('dup2', 'int', ['int', 'int']);
export const libcPipe2 = libc.func('pipe2', 'int', ['void *', 'int']);
export const libcIoctl = libc.func('ioctl', 'int', ['int', 'ulong', 'void *']);
/** For those whose argument is a number. */
export const libcIoctlNumber = libc.func('ioctl', 'int', ['int', 'ulong', 'long']);
/* Paths as bytes, which names on disk are: see cPath. */
export const libcMknod = libc.func('mknod', 'int', ['void *', 'uint', 'ulong']);
export const libcLsetxattr = libc.func('lsetxattr', 'int', ['void *', 'void *', 'void *', 'size_t', 'int']);
export const libcLremovexattr = libc.func('lremovexattr', 'int', ['void *', 'void *']);
export const libcUtimensat = libc.func('utimensat', 'int', ['int', 'void *', 'void *', 'int']);
export const libcFutimens = libc.func('futimens', 'int', ['int', 'void *']);
export const libcChdir = libc.func('chdir', 'int', ['str']);
export const libcFchdir = libc.func('fchdir', 'int', ['int']);
export const libcFlock = libc.func('flock', 'int', ['int', 'int']);
export const libcStatx = libc.func('statx', 'int', ['int', 'str', 'int', 'uint', 'void *']);
export const libcSyncfs = libc.func('syncfs', 'int', ['int']);
export const libcSyncFileRange = libc.func('sync_file_range', 'int', ['int', 'int64', 'int64', 'uint']);

export const AT_FDCWD = -100;
const AT_EMPTY_PATH = 0x1000;
const OPEN_TREE_CLONE_CLOEXEC = 1 | 0o2000000;

/** A C string: a text as UTF-8, bytes as they are. */
export function cPath(path: string | Uint8Array): Buffer {
  return typeof path === 'string' ? Buffer.from(`${path}\0`) : Buffer.concat([path, Buffer.alloc(1)]);
}

const NR = {
  pidfd_send_signal: 424,
  open_tree: 428,
  move_mount: 429,
  fsopen: 430,
  fsconfig: 431,
  fsmount: 432,
  pidfd_open: 434,
  openat2: 437,
  pidfd_getfd: 438,
  mount_setattr: 442,
} as const;

/** How openat2(2) opens; what it gives is closed on exec. */
export interface OpenHow {
  readonly flags: number;
  readonly mode?: number;
  readonly resolve: number;
}

const O_CLOEXEC = 0o2000000;

export const raw = {
  pidfdOpen: (pid: number): number => Number(sysPidfdOpen(NR.pidfd_open, pid, 0)),
  pidfdSignal: (fd: number, signal: number): number =>
    Number(sysPidfdSignal(NR.pidfd_send_signal, fd, signal, null, 0)),
  /** A copy of another process's descriptor, closed on exec. */
  pidfdGetfd: (fd: number, target: number): number => Number(sysPidfdGetfd(NR.pidfd_getfd, fd, target, 0)),
  openat2: (dir: number, path: string, { flags, mode = 0, resolve }: OpenHow): number => {
    // struct open_how { u64 flags, mode, resolve }
    const how = Buffer.from(BigUint64Array.of(BigInt(flags | O_CLOEXEC), BigInt(mode), BigInt(resolve)).buffer);
    return Number(sysOpenat2(NR.openat2, dir, path, how, how.length));
  },
  fsopen: (type: string, flags: number): number => Number(sysFsopen(NR.fsopen, type, flags)),
  fsconfig: (fd: number, command: number, key: string | null, value: string | null): number =>
    Number(sysFsconfig(NR.fsconfig, fd, command, key, value, 0)),
  fsmount: (fd: number, flags: number): number => Number(sysFsmount(NR.fsmount, fd, flags, 0)),
  moveMount: (fd: number, target: string, flags: number): number =>
    Number(sysMoveMount(NR.move_mount, fd, '', AT_FDCWD, target, flags)),
  mountSetattr: (fd: number, flags: number, attributes: Buffer): number =>
    Number(sysMountSetattr(NR.mount_setattr, fd, '', flags, attributes, attributes.length)),
  /** A copy of the mount at `path` alone, seen nowhere yet. */
  openTreeClone: (path: string): number => Number(sysOpenTree(NR.open_tree, AT_FDCWD, path, OPEN_TREE_CLONE_CLOEXEC)),
  /** The same of the directory that a descriptor stands for. */
  openTreeCloneAt: (fd: number): number =>
    Number(sysOpenTree(NR.open_tree, fd, '', OPEN_TREE_CLONE_CLOEXEC | AT_EMPTY_PATH)),
  close: (fd: number): number => Number(sysClose(fd)),
};

/** libuv's names before libc's: where one number has two (EAGAIN and EWOULDBLOCK), `node:fs` says the first. */
const ERRNO_NAMES = new Map([
  ...Object.entries(constants.errno).map(([name, number]) => [number, name] as const),
  ...[...getSystemErrorMap()].map(([number, [name]]) => [-number, name] as const),
]);

/** What a failed call throws: `code` is the errno's name, as on errors from `node:fs`. */
export interface SysError extends Error {
  readonly code: string;
  readonly syscall: string;
}

/**
 * Returns a call's result, or throws with the errno of the call just made: `what` names the call and its paths. Must
 * be reached before anything else touches errno, so pass the call itself as the argument.
 */
export function check(result: number, syscall: string, detail: string): number {
  if (result >= 0) return result;
  const number = koffi.errno();
  const code = ERRNO_NAMES.get(number) ?? `E${number}`;
  throw makeSysError(code, syscall, `${syscall} ${detail}: ${code}`);
}

/**
 * Makes a call again that a signal has cut short (signal(7)): a child that ends is one, and some calls say EINTR to it even
 * where they do not wait, as poll(2).
 */
export function uninterrupted<T>(call: () => T): T {
  for (;;) {
    try {
      return call();
    } catch (error) {
      if ((error as Partial<SysError>).code !== 'EINTR') throw error;
    }
  }
}

/** Also rebuilds an error that crossed from the worker thread. */
export function makeSysError(code: string, syscall: string, message: string): SysError {
  return Object.assign(new Error(message), { code, syscall });
}
