import { createWebSocketStream } from 'ws';

import { internal } from '../../base/errors.js';
import type { Logger } from '../../base/log.js';
import type { Slots } from '../../base/slots.js';
import { forwardChannels } from './forward/forward-channels.js';
import { forwardStreams } from './forward/forward-streams.js';
import { SPDY_COMMANDS, TUNNEL, WEBSOCKET_COMMANDS, WEBSOCKET_FORWARDS, type Choice } from './protocols.js';
import { serveCommand } from './serve-command.js';
import type { Session } from './session.js';
import { openCommandStreams } from './spdy/command-streams.js';
import { upgradeToSpdy } from './spdy/upgrade.js';
import type { AttachTarget, ExecTarget, PortForwardTarget, StreamingBackend, StreamTarget } from './types.js';
import type { UpgradeRequest } from './upgrade-request.js';
import { openCommandChannels } from './websocket/command-channels.js';
import { upgradeToWebSocket } from './websocket/upgrade.js';

interface Serving<Target extends StreamTarget> {
  readonly upgrade: UpgradeRequest;
  readonly choice: Choice;
  readonly target: Target;
  readonly backend: StreamingBackend;
  readonly session: Session;
  readonly forwarded: Slots;
  readonly logger: Logger;
}

/** Answers the upgrade and serves the target until its end. */
export async function serveClient({ target, ...serving }: Serving<StreamTarget>): Promise<void> {
  if (target.kind === 'port-forward') await serveForward({ target, ...serving });
  else await serveExecOrAttach({ target, ...serving });
}

async function serveExecOrAttach(serving: Serving<ExecTarget | AttachTarget>): Promise<void> {
  const { upgrade, choice, target, session } = serving;
  if (choice.transport === 'spdy') {
    const protocol = known(SPDY_COMMANDS, choice);
    const options = { wanted: target, protocol, session };
    const client = await openCommandStreams(upgradeToSpdy(upgrade, choice.protocol), options);
    return serveCommand(client, target, serving);
  }
  const protocol = known(WEBSOCKET_COMMANDS, choice);
  const ws = upgradeToWebSocket(upgrade, choice.protocol);
  if (ws === undefined) return;
  const client = openCommandChannels(ws, upgrade.socket, { wanted: target, protocol, session });
  return serveCommand(client, target, serving);
}

async function serveForward(serving: Serving<PortForwardTarget>): Promise<void> {
  const { upgrade, choice } = serving;
  if (choice.transport === 'spdy') return forwardStreams(upgradeToSpdy(upgrade, choice.protocol), serving);
  const ws = upgradeToWebSocket(upgrade, choice.protocol);
  if (ws === undefined) return;
  if (choice.protocol === TUNNEL) return forwardStreams(createWebSocketStream(ws), serving);
  const protocol = known(WEBSOCKET_FORWARDS, choice);
  return forwardChannels({ ws, socket: upgrade.socket, protocol }, serving);
}

function known<P>(protocols: ReadonlyMap<string, P>, { protocol }: Choice): P {
  const found = protocols.get(protocol);
  if (found === undefined) throw internal(`protocol "${protocol}" was chosen and is not known`);
  return found;
}
