import { closeSync, constants, openSync, readdirSync, readFileSync, readlinkSync, writeSync } from 'node:fs';

import { errnoOf } from '../errors.js';
import { bytesWaiting } from './descriptor.js';

const { O_RDONLY, O_WRONLY, O_NONBLOCK, O_ACCMODE } = { ...constants, O_ACCMODE: 3 };

/**
 * The pipes that a process relays: those that it only reads, and is given by no one as its stdio. runc makes one for each
 * output of a command that it executes, and goes on copying until everybody has closed them.
 */
export class RelayPipes {
  readonly #paths: readonly string[];

  /** Of a process; none if it has ended. */
  constructor(pid: number) {
    const fds = descriptorsOf(pid);
    const written = new Set(fds.flatMap(({ pipe, reads }) => (reads ? [] : [pipe])));
    const relayed = fds.filter(({ fd, pipe, reads }) => fd > 2 && reads && !written.has(pipe));
    this.#paths = relayed.map(({ fd }) => `/proc/${pid}/fd/${fd}`);
  }

  /** Bytes that the process has not read yet. */
  waiting(): number {
    return this.#paths.reduce((sum, path) => sum + (withOpen(path, O_RDONLY, bytesWaiting) ?? 0), 0);
  }

  /**
   * Wakes the process by a byte in each. To be called when nobody reads any more what it writes: it fails to hand the byte
   * on, and gives the pipe up.
   */
  interrupt(): void {
    for (const path of this.#paths) withOpen(path, O_WRONLY, (fd) => writeSync(fd, '\n'));
  }
}

interface PipeDescriptor {
  readonly fd: number;
  /** `pipe:[inode]` */
  readonly pipe: string;
  readonly reads: boolean;
}

/** proc(5): `flags` of /proc/pid/fdinfo are those of open(2), in octal. */
function descriptorsOf(pid: number): PipeDescriptor[] {
  const all = ifThere(() => readdirSync(`/proc/${pid}/fd`)) ?? [];
  return all.flatMap((fd) => {
    const pipe = ifThere(() => readlinkSync(`/proc/${pid}/fd/${fd}`)) ?? '';
    if (!pipe.startsWith('pipe:')) return [];
    const info = ifThere(() => readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'latin1')) ?? '';
    const flags = parseInt(/^flags:\s*(\d+)/m.exec(info)?.[1] ?? '', 8);
    return [{ fd: Number(fd), pipe, reads: (flags & O_ACCMODE) === O_RDONLY }];
  });
}

function withOpen<T>(path: string, flags: number, use: (fd: number) => T): T | undefined {
  return ifThere(() => {
    const fd = openSync(path, flags | O_NONBLOCK);
    try {
      return use(fd);
    } finally {
      closeSync(fd);
    }
  });
}

/** ENXIO and EPIPE: nobody reads it; EAGAIN: it is full, so the reader is awake. */
const GONE = ['ENOENT', 'ESRCH', 'ENXIO', 'EPIPE', 'EAGAIN'];

function ifThere<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (GONE.includes(errnoOf(error) ?? '')) return undefined;
    throw error;
  }
}
