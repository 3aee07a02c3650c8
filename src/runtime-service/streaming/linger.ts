import type { Duplex } from 'node:stream';

/** How long a client has to close its end of what is over. */
const LINGER_MS = 10_000;

/**
 * Ends the connection without losing what is on its way: the kernel would answer unread input with a reset, and a reset discards what the
 * client has not read yet. So input is read and dropped until the client closes, too.
 */
export function lingeringClose(socket: Duplex): void {
  socket.end(() => {
    const timer = setTimeout(() => socket.destroy(), LINGER_MS);
    socket.once('close', () => clearTimeout(timer));
  });
  socket.resume();
}
