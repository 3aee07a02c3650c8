import type { Duplex } from 'node:stream';

import type { UpgradeRequest } from '../upgrade-request.js';

/** Answers an upgrade to SPDY/3.1, with the protocol on it. */
export function upgradeToSpdy({ socket, head }: UpgradeRequest, protocol: string): Duplex {
  const lines = [
    'HTTP/1.1 101 Switching Protocols',
    'Connection: Upgrade',
    'Upgrade: SPDY/3.1',
    `X-Stream-Protocol-Version: ${protocol}`,
  ];
  socket.write(`${lines.join('\r\n')}\r\n\r\n`);
  if (head.length > 0) socket.unshift(head);
  return socket;
}
