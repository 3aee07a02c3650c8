import { closeSync, constants, openSync } from 'node:fs';
import { Socket } from 'node:net';
import { basename, dirname } from 'node:path';

import { inNetns } from './calls.js';
import { openDescriptor } from './descriptor.js';
import { check, libcConnect, libcSocket } from './libc.js';

const AF_UNIX = 1;
const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM = 1;
const SOCK_SEQPACKET = 5;
const NONBLOCK_CLOEXEC = 0o4000 | 0o2000000;
/** O_PATH, which node:fs does not name. */
const O_PATH = 0o10000000;

/**
 * Connects to a unix socket of packets, without waiting: EAGAIN while the other side has too many callers. What is written
 * in one call is one packet; what is read, too, see `readRest` for the last of them.
 */
export function connectPackets(path: string): { readonly fd: number; readonly socket: Socket } {
  // A socket's address holds 107 bytes, a path may be longer: the directory goes by its descriptor.
  const dir = openSync(dirname(path), constants.O_DIRECTORY | O_PATH);
  try {
    const fd = check(libcSocket(AF_UNIX, SOCK_SEQPACKET | NONBLOCK_CLOEXEC, 0) as number, 'socket', path);
    try {
      const address = unixAddress(`/proc/self/fd/${dir}/${basename(path)}`);
      check(libcConnect(fd, address, address.length) as number, 'connect', path);
      return { fd, socket: openDescriptor(fd, { readable: true, writable: true }) };
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  } finally {
    closeSync(dir);
  }
}

/** struct sockaddr_un { unsigned short family; char path[108] } */
function unixAddress(path: string): Buffer {
  const address = Buffer.alloc(110);
  address.writeUInt16LE(AF_UNIX, 0);
  address.write(path, 2, 107);
  return address;
}

/** A TCP socket of the network namespace at `netns`, not yet connected, half-open allowed; undefined for our own. */
export function socketInNetns(netns: string | undefined, family: 4 | 6): Socket {
  const make = (): number => {
    const kind = family === 4 ? AF_INET : AF_INET6;
    return check(libcSocket(kind, SOCK_STREAM | NONBLOCK_CLOEXEC, 0) as number, 'socket', `in ${netns ?? 'our own'}`);
  };
  const fd = netns === undefined ? make() : inNetns(netns, make);
  return new Socket({ fd, allowHalfOpen: true, manualStart: true } as ConstructorParameters<typeof Socket>[0]);
}
