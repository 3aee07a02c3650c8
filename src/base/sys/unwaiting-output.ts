import { closeSync, constants, fstatSync, openSync, write as writeFile, writeSync } from 'node:fs';
import { promisify } from 'node:util';

import { errnoOf } from '../errors.js';
import { check, libcDup2, libcSend, uninterrupted } from './libc.js';

const write = promisify(writeFile);

const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;

/** An output of this process that is written to without waiting for who reads it. */
export interface UnwaitingOutput {
  /**
   * Writes the beginning of the bytes and returns how many: 0 where nobody reads just now.
   * @throws the system's error: EPIPE where nobody ever will, ENOSPC on a full disk.
   */
  write(bytes: Buffer): number | Promise<number>;
  /** The same at once, for the last words of a process. */
  writeNow(bytes: Buffer): number;
}

/**
 * The output of a descriptor that others may share. They are not to find it non-blocking, which is a property of the open
 * file and not of the descriptor: a pipe or terminal is opened anew in its place, which also keeps Node and V8 from waiting there
 * with what they say of fatal errors; a socket is asked not to wait each time; a file is written to by a thread of libuv's.
 */
export function unwaitingOutput(fd: number): UnwaitingOutput {
  const stat = fstatSync(fd);
  if (stat.isSocket()) return socketOutput(fd);
  if ((stat.isFIFO() || stat.isCharacterDevice()) && openAnew(fd)) return pipeOutput(fd);
  return threadOutput(fd, stat.isFile());
}

/** False where it cannot be: nobody reads the pipe any more, or it is not ours to open. */
function openAnew(fd: number): boolean {
  try {
    const flags = constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY;
    const fresh = openSync(`/proc/self/fd/${fd}`, flags);
    check(libcDup2(fresh, fd) as number, 'dup2', `${fresh} ${fd}`);
    closeSync(fresh);
    return true;
  } catch {
    return false;
  }
}

function pipeOutput(fd: number): UnwaitingOutput {
  const writeNow = (bytes: Buffer): number => unlessFull(() => writeSync(fd, bytes));
  return { write: writeNow, writeNow };
}

function socketOutput(fd: number): UnwaitingOutput {
  const send = (bytes: Buffer): number =>
    uninterrupted(() =>
      check(Number(libcSend(fd, bytes, bytes.length, MSG_DONTWAIT | MSG_NOSIGNAL)), 'send', String(fd)),
    );
  const writeNow = (bytes: Buffer): number => unlessFull(() => send(bytes));
  return { write: writeNow, writeNow };
}

function threadOutput(fd: number, isFile: boolean): UnwaitingOutput {
  return {
    write: async (bytes) => (await write(fd, bytes)).bytesWritten,
    writeNow: (bytes) => (isFile ? writeSync(fd, bytes) : 0),
  };
}

function unlessFull(attempt: () => number): number {
  try {
    return attempt();
  } catch (error) {
    if (errnoOf(error) === 'EAGAIN') return 0;
    throw error;
  }
}
