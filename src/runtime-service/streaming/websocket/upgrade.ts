import { WebSocketServer, type WebSocket } from 'ws';

import type { UpgradeRequest } from '../upgrade-request.js';

/** A message is held as a whole before it is handed on; clients send 32 KiB, some everything at once. */
const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;

const server = new WebSocketServer({
  noServer: true,
  maxPayload: MAX_MESSAGE_BYTES,
  perMessageDeflate: false,
  clientTracking: false,
  // Streams carry any bytes; base64 is checked by its codec.
  skipUTF8Validation: true,
});

/**
 * Answers the handshake, with a subprotocol or none for "". The names of tunnels have a slash, which no token may have and which ws
 * refuses: so it sees none of the names.
 * @returns undefined where the handshake was wrong, and was answered so
 */
export function upgradeToWebSocket({ request, socket, head }: UpgradeRequest, protocol: string): WebSocket | undefined {
  let upgraded: WebSocket | undefined;
  delete request.headers['sec-websocket-protocol'];
  const addProtocol = (headers: string[]): void => {
    if (protocol !== '') headers.push(`Sec-WebSocket-Protocol: ${protocol}`);
  };
  server.on('headers', addProtocol);
  // Answers before it returns, so that the listener is this handshake's alone.
  server.handleUpgrade(request, socket, head, (ws) => (upgraded = ws));
  server.off('headers', addProtocol);
  return upgraded;
}
