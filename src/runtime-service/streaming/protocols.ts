import type { IncomingMessage } from 'node:http';

import type { StatusForm } from './command-status.js';
import { BASE64_TEXT, BINARY, type ChannelCodec } from './websocket/channel-codec.js';
import type { Refusal } from './upgrade-request.js';
import type { StreamTarget } from './types.js';

/** What differs between the versions of exec and attach (Kubernetes' remotecommand). */
export interface CommandProtocol {
  readonly statusForm: StatusForm;
  /** On SPDY, a client opens a stream of sizes for a terminal. */
  readonly resizes: boolean;
}

/** How a WebSocket's messages name their channels. */
export interface ChannelProtocol {
  readonly codec: ChannelCodec;
  /** Whether a channel can be half-closed. */
  readonly closesChannels: boolean;
}

const V4: CommandProtocol = { statusForm: 'json', resizes: true };
const V3: CommandProtocol = { statusForm: 'text', resizes: true };
const V2: CommandProtocol = { statusForm: 'text', resizes: false };
const RAW: ChannelProtocol = { codec: BINARY, closesChannels: false };
const BASE64: ChannelProtocol = { codec: BASE64_TEXT, closesChannels: false };

/** By the name in `X-Stream-Protocol-Version`; v5 is WebSocket's alone. */
export const SPDY_COMMANDS: ReadonlyMap<string, CommandProtocol> = new Map([
  ['v4.channel.k8s.io', V4],
  ['v3.channel.k8s.io', V3],
  ['v2.channel.k8s.io', V2],
  ['channel.k8s.io', V2],
]);

/** By the name in `Sec-WebSocket-Protocol`; "" for clients that offer none. */
export const WEBSOCKET_COMMANDS: ReadonlyMap<string, CommandProtocol & ChannelProtocol> = new Map([
  ['v5.channel.k8s.io', { ...V4, ...RAW, closesChannels: true }],
  ['v4.channel.k8s.io', { ...V4, ...RAW }],
  ['v3.channel.k8s.io', { ...V3, ...RAW }],
  ['v2.channel.k8s.io', { ...V2, ...RAW }],
  ['channel.k8s.io', { ...V2, ...RAW }],
  ['', { ...V2, ...RAW }],
  ['v4.base64.channel.k8s.io', { ...V4, ...BASE64 }],
  ['v3.base64.channel.k8s.io', { ...V3, ...BASE64 }],
  ['v2.base64.channel.k8s.io', { ...V2, ...BASE64 }],
  ['base64.channel.k8s.io', { ...V2, ...BASE64 }],
]);

const SPDY_FORWARDS: ReadonlySet<string> = new Set(['portforward.k8s.io']);
export const TUNNEL = 'SPDY/3.1+portforward.k8s.io';
/** Port-forward on channels, where the request has named the ports. */
export const WEBSOCKET_FORWARDS: ReadonlyMap<string, ChannelProtocol> = new Map([
  ['v4.channel.k8s.io', RAW],
  ['portforward.k8s.io', RAW],
  ['', RAW],
  ['v4.base64.channel.k8s.io', BASE64],
]);

/** How a client and the server will speak. */
export interface Choice {
  readonly transport: 'spdy' | 'websocket';
  readonly protocol: string;
}

/** The first of the protocols that the client offers and that serves the target, or why there is none. */
export function chooseProtocol(request: IncomingMessage, target: StreamTarget): Choice | Refusal {
  const upgrade = request.headers.upgrade?.toLowerCase();
  const command = target.kind !== 'port-forward';
  if (upgrade === 'spdy/3.1') {
    const known = [...(command ? SPDY_COMMANDS.keys() : SPDY_FORWARDS)];
    return negotiate({ transport: 'spdy', known, offered: listHeader(request, 'x-stream-protocol-version') });
  }
  if (upgrade === 'websocket') {
    const known = command ? [...WEBSOCKET_COMMANDS.keys()] : [TUNNEL, ...WEBSOCKET_FORWARDS.keys()];
    return negotiate({ transport: 'websocket', known, offered: listHeader(request, 'sec-websocket-protocol') });
  }
  return { status: 400, message: 'an upgrade to SPDY/3.1 or websocket is expected' };
}

interface Offer {
  readonly transport: Choice['transport'];
  readonly known: readonly string[];
  readonly offered: readonly string[];
}

/** A client that names nothing speaks the oldest, which is the last on SPDY, and "" on WebSocket. */
function negotiate({ transport, known, offered }: Offer): Choice | Refusal {
  const oldest = transport === 'websocket' ? '' : known.at(-1);
  const protocol = offered.length === 0 ? oldest : offered.find((name) => name !== '' && known.includes(name));
  if (protocol !== undefined) return { transport, protocol };
  const names = known.filter((name) => name !== '');
  const headers = transport === 'spdy' ? names.map((name) => `X-Accepted-Stream-Protocol-Versions: ${name}`) : [];
  return { status: 403, message: `none of the protocols is known; there are: ${names.join(', ')}`, headers };
}

/** The values of a header that may come several times and hold several each, in the client's order. */
function listHeader({ headersDistinct }: IncomingMessage, name: string): string[] {
  const lines = headersDistinct[name] ?? [];
  return lines.flatMap((line) => line.split(',').map((part) => part.trim())).filter((part) => part !== '');
}
