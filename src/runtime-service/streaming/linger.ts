import type { Duplex } from 'node:stream';

/** How long a client has to close its end of what is over. */
const LINGER_MS = 10_000;

/**
 * Ends the connection without losing what is on its way: the kernel would answer unread input with a reset, and a reset discards what the
 * client has not read yet. So input is read and dropped until the client closes, too.
 * @returns when all that was written has left, however slowly the client reads, or the connection is closed
 */
export function lingeringClose(socket: Duplex): Promise<void> {
  socket.resume();
  return new Promise((resolve) => {
    socket.once('close', () => resolve());
    socket.end(() => {
      const timer = setTimeout(() => socket.destroy(), LINGER_MS);
      timer.unref();
      socket.once('close', () => clearTimeout(timer));
      resolve();
    });
  });
}

/** Settles when all that was written has left, or the connection is closed. */
export function hasLeft(socket: Duplex): Promise<void> {
  return new Promise((resolve) => {
    socket.once('close', () => resolve());
    socket.write('', () => resolve());
  });
}
