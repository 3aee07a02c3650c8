import { readFileSync } from 'node:fs';

import { abortable, deadlineSignal } from '../abort.js';
import { errnoOf } from '../errors.js';
import { pidfdOpenSync, pidfdSignalSync } from './calls.js';
import { openDescriptor } from './descriptor.js';
import { check, raw } from './libc.js';

/**
 * A process for ever: its number and when it started (clock ticks after boot, and which boot), since numbers are used
 * again.
 */
export interface ProcessIdentity {
  readonly pid: number;
  readonly startTime: string;
}

/** True for an identity as it comes back from a file. */
export function isProcessIdentity(value: unknown): value is ProcessIdentity {
  if (typeof value !== 'object' || value === null || !('pid' in value) || !('startTime' in value)) return false;
  return typeof value.pid === 'number' && typeof value.startTime === 'string';
}

/** A running process among its relatives. */
export interface ProcessRow {
  readonly process: ProcessIdentity;
  readonly parent: number;
  readonly session: number;
}

/** The identity of a running process; undefined if there is none, or only a zombie, which is dead to us. */
export function identify(pid: number): ProcessIdentity | undefined {
  return readProcess(pid)?.process;
}

export function isAlive(process: ProcessIdentity): boolean {
  const now = identify(process.pid);
  return now !== undefined && now.startTime === process.startTime;
}

/** proc(5), /proc/pid/stat: the name in parentheses may hold anything, so fields are counted after the last one. */
export function readProcess(pid: number): ProcessRow | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ESRCH') return undefined;
    throw error;
  }
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state = '', parent, , session] = fields;
  if (state === 'Z' || state === 'X') return undefined;
  const startTime = `${fields[19] ?? ''}@${bootId()}`;
  return { process: { pid, startTime }, parent: Number(parent), session: Number(session) };
}

let boot: string | undefined;

/** Another one after each start of the machine. */
export function bootId(): string {
  boot ??= readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
  return boot;
}

/** Signals exactly this process, or nobody; false if it has ended. */
export function signalProcess(process: ProcessIdentity, signal: NodeJS.Signals | number): boolean {
  const fd = openPidfd(process);
  if (fd === undefined) return false;
  try {
    return pidfdSignalSync(fd, signal);
  } finally {
    raw.close(fd);
  }
}

/** A pidfd of this very process: opened first, compared after, so that no reuse can slip between. */
export function openPidfd(process: ProcessIdentity): number | undefined {
  let fd: number;
  try {
    fd = pidfdOpenSync(process.pid);
  } catch (error) {
    // EINVAL: no pid at all; ENOENT: a thread's number, which is no process's.
    if (['ESRCH', 'EINVAL', 'ENOENT'].includes(errnoOf(error) ?? '')) return undefined;
    throw error;
  }
  if (isAlive(process)) return fd;
  raw.close(fd);
  return undefined;
}

/** A copy of a descriptor of exactly this process (pidfd_getfd(2)); undefined if that is closed, or the process has ended. */
export function copyDescriptorOf(process: ProcessIdentity, descriptor: number): number | undefined {
  const fd = openPidfd(process);
  if (fd === undefined) return undefined;
  try {
    return check(raw.pidfdGetfd(fd, descriptor), 'pidfd_getfd', `${descriptor} of ${process.pid}`);
  } catch (error) {
    if (['ESRCH', 'EBADF'].includes(errnoOf(error) ?? '')) return undefined;
    throw error;
  } finally {
    raw.close(fd);
  }
}

const KILL_TIMEOUT_MS = 10_000;

/**
 * Kills the process and waits for its end; ended already is fine.
 * @throws deadline-exceeded for one that even SIGKILL does not end, which hangs in the kernel.
 */
export async function endProcess(process: ProcessIdentity): Promise<void> {
  const watch = watchExit(process);
  try {
    signalProcess(process, 'SIGKILL');
    await abortable(watch.ended, deadlineSignal(KILL_TIMEOUT_MS));
  } finally {
    watch.close();
  }
}

export interface ExitWatch {
  /** Settles when the process has ended, at once if it has already; never after `close`. */
  readonly ended: Promise<void>;
  close(): void;
}

/**
 * Tells when a process ends, whoever its parent is, without polling: a pidfd becomes readable then, and libuv,
 * which takes it for a pipe, fails its read with EINVAL.
 */
export function watchExit(process: ProcessIdentity): ExitWatch {
  const fd = openPidfd(process);
  if (fd === undefined) return { ended: Promise.resolve(), close: () => undefined };
  const socket = openDescriptor(fd, { readable: true, writable: false });
  socket.unref();
  let given = false;
  const ended = new Promise<void>((resolve) => {
    socket.on('error', () => undefined);
    socket.on('close', () => given || resolve());
  });
  socket.resume();
  const close = (): void => {
    given = true;
    socket.destroy();
  };
  return { ended, close };
}
