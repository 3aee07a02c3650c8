import { closeSync, constants, openSync, readdirSync, readlinkSync } from 'node:fs';

import { pidfdOpenSync } from './calls.js';
import { check, libcIoctl, libcIoctlNumber, raw } from './libc.js';

/** A pair of pseudo terminals: what is written to one end is read at the other. */
export interface Terminal {
  readonly master: number;
  readonly slave: number;
}

const { O_RDWR, O_NOCTTY } = constants;
const O_CLOEXEC = 0o2000000;

const TCGETS = 0x5401;
const TCSETS = 0x5402;
const TIOCSWINSZ = 0x5414;
const TIOCSPTLCK = 0x40045431;
const TIOCGPTPEER = 0x5441;

/**
 * Makes a terminal that changes nothing on the way and has no control characters: who reads at the slave has a terminal
 * of its own to offer. Nobody's controlling terminal.
 */
export function openTerminal(): Terminal {
  const master = openSync('/dev/ptmx', O_RDWR | O_NOCTTY | O_CLOEXEC);
  try {
    check(libcIoctl(master, TIOCSPTLCK, Buffer.alloc(4)) as number, 'ioctl', 'TIOCSPTLCK');
    const flags = O_RDWR | O_NOCTTY | O_CLOEXEC;
    const slave = check(libcIoctlNumber(master, TIOCGPTPEER, flags) as number, 'ioctl', 'TIOCGPTPEER');
    makeRaw(slave);
    return { master, slave };
  } catch (error) {
    closeSync(master);
    throw error;
  }
}

export interface Size {
  readonly width: number;
  readonly height: number;
}

/** Sets the size that programs on the terminal see. */
export function setTerminalSize(master: number, size: Size): void {
  // struct winsize { unsigned short rows, columns, x, y }
  const winsize = Buffer.alloc(8);
  winsize.writeUInt16LE(Math.min(size.height, MAX_SIZE), 0);
  winsize.writeUInt16LE(Math.min(size.width, MAX_SIZE), 2);
  check(libcIoctl(master, TIOCSWINSZ, winsize) as number, 'ioctl', 'TIOCSWINSZ');
}

const MAX_SIZE = 65_535;

/**
 * The same for the terminals whose masters a process holds, as far as this process may reach into it (pidfd_getfd(2),
 * 5.6); one that has ended has none. The process must not be reaped meanwhile, so that the number is its own.
 */
export function setTerminalSizesOf(pid: number, size: Size): void {
  for (const fd of mastersOf(pid)) {
    const master = copyOf(pid, fd);
    if (master === undefined) continue;
    try {
      setTerminalSize(master, size);
    } finally {
      closeSync(master);
    }
  }
}

/** By name: opened in another mount namespace it is `/dev/pts/ptmx` or `/ptmx`. */
function mastersOf(pid: number): number[] {
  const directory = `/proc/${pid}/fd`;
  const isMaster = (fd: string): boolean => tried(() => readlinkSync(`${directory}/${fd}`))?.endsWith('/ptmx') === true;
  return (tried(() => readdirSync(directory)) ?? []).filter(isMaster).map(Number);
}

function copyOf(pid: number, fd: number): number | undefined {
  return tried(() => {
    const process = pidfdOpenSync(pid);
    try {
      return check(raw.pidfdGetfd(process, fd), 'pidfd_getfd', String(fd));
    } finally {
      closeSync(process);
    }
  });
}

/** Undefined where a system call fails. */
function tried<T>(call: () => T): T | undefined {
  try {
    return call();
  } catch {
    return undefined;
  }
}

/** As cfmakeraw(3). */
function makeRaw(fd: number): void {
  // struct termios { unsigned int iflag, oflag, cflag, lflag; unsigned char line, cc[19] }
  const termios = Buffer.alloc(64);
  check(libcIoctl(fd, TCGETS, termios) as number, 'ioctl', 'TCGETS');
  const clear = (offset: number, flags: number): void => {
    termios.writeUInt32LE((termios.readUInt32LE(offset) & ~flags) >>> 0, offset);
  };
  clear(0, 0x5eb); // IGNBRK BRKINT PARMRK ISTRIP INLCR IGNCR ICRNL IXON
  clear(4, 0x1); // OPOST
  clear(8, 0x130); // CSIZE PARENB
  termios.writeUInt32LE(termios.readUInt32LE(8) | 0x30, 8); // CS8
  clear(12, 0x804b); // ECHO ECHONL ICANON ISIG IEXTEN
  check(libcIoctl(fd, TCSETS, termios) as number, 'ioctl', 'TCSETS');
}
