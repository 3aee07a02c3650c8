import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';

/** A client that wants to speak something else on its connection. */
export interface UpgradeRequest {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  /** What came after the request already. */
  readonly head: Buffer;
}

/** A refusal in HTTP. */
export interface Refusal {
  readonly status: 400 | 403 | 404 | 503;
  readonly message: string;
  readonly headers?: readonly string[];
}

const REASONS = { 400: 'Bad Request', 403: 'Forbidden', 404: 'Not Found', 503: 'Service Unavailable' } as const;

/** Answers an upgrade that cannot be; the connection ends with it. */
export function refuseUpgrade(socket: Duplex, refusal: Refusal): void {
  socket.end(refusalText(refusal), () => socket.destroy());
}

export function refusalText({ status, message, headers = [] }: Refusal): string {
  const body = `${message}\n`;
  const lines = [
    `HTTP/1.1 ${status} ${REASONS[status]}`,
    'Connection: close',
    'Content-Type: text/plain; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    ...headers,
  ];
  return `${lines.join('\r\n')}\r\n\r\n${body}`;
}
