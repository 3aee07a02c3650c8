import { closeSync, readSync } from 'node:fs';
import { createServer, Socket, type SocketConstructorOpts } from 'node:net';

import { errnoOf } from '../errors.js';
import { check, libcIoctl, libcPipe2, libcPoll, uninterrupted } from './libc.js';

/** Descriptors that `node:net` does not open by itself: ends of pipes, terminals, sockets of packets, pidfds. */

const O_CLOEXEC = 0o2000000;
const FIONREAD = 0x541b;
const POLLHUP = 0x10;
const POLLRDHUP = 0x2000;

/** A pipe of the kernel's own kind: what `node:child_process` makes are sockets, which a child cannot open anew. */
export interface PipeEnds {
  readonly read: number;
  readonly write: number;
}

export function makePipe(): PipeEnds {
  const ends = Buffer.alloc(8);
  check(libcPipe2(ends, O_CLOEXEC) as number, 'pipe2', '');
  return { read: ends.readInt32LE(0), write: ends.readInt32LE(4) };
}

/**
 * A stream on a descriptor that it closes with itself. Half-open is allowed. `end()` is for sockets alone; the others
 * are destroyed when all is written.
 */
export function openDescriptor(fd: number, ways: { readonly readable: boolean; readonly writable: boolean }): Socket {
  const handle = new (pipeConstructor())(0);
  handle.open(fd);
  return new Socket({ handle, allowHalfOpen: true, ...ways } as SocketConstructorOpts);
}

/** Bytes that wait in a pipe. */
export function bytesWaiting(fd: number): number {
  const count = Buffer.alloc(4);
  check(libcIoctl(fd, FIONREAD, count) as number, 'ioctl', 'FIONREAD');
  return count.readInt32LE(0);
}

/** Whether the other side of a socket sends no more, though all that it has sent be unread. */
export function hasHungUp(fd: number): boolean {
  const asked = Buffer.alloc(8);
  asked.writeInt32LE(fd, 0);
  asked.writeInt16LE(POLLRDHUP, 4);
  uninterrupted(() => check(libcPoll(asked, 1, 0) as number, 'poll', String(fd)));
  return (asked.readInt16LE(6) & (POLLRDHUP | POLLHUP)) !== 0;
}

/**
 * What is left to read on a descriptor whose stream has said `end`: libuv says so when the other side has hung up and the
 * last read was a short one, which the packets of a socket and the lines of a terminal always are.
 */
export function* readRest(fd: number): Generator<Buffer> {
  for (;;) {
    const buffer = Buffer.allocUnsafe(READ_SIZE);
    let count: number;
    try {
      count = readSync(fd, buffer, 0, READ_SIZE, null);
    } catch (error) {
      // EIO: a terminal without the other side; EAGAIN: nothing now.
      if (['EIO', 'EAGAIN', 'ECONNRESET'].includes(errnoOf(error) ?? '')) return;
      throw error;
    }
    if (count === 0) return;
    yield buffer.subarray(0, count);
  }
}

const READ_SIZE = 16_384;

/** Closes descriptors that may be closed already elsewhere: each is closed once, by who calls this. */
export function closeAll(fds: Iterable<number>): void {
  for (const fd of fds) closeSync(fd);
}

type PipeConstructor = new (type: number) => { open(fd: number): void };
let pipe: PipeConstructor | undefined;

/** Node's own class of pipe handles, reached through a server that listens for an instant. */
function pipeConstructor(): PipeConstructor {
  if (pipe !== undefined) return pipe;
  const server = createServer().listen(`\0gantry-pipe-${process.pid}-${Date.now()}`);
  const { _handle: handle } = server as unknown as { _handle: { constructor: PipeConstructor } };
  pipe = handle.constructor;
  server.close();
  return pipe;
}
