import { once } from 'node:events';
import type { Socket } from 'node:net';

import { abortReason, throwIfAborted } from '../../../base/abort.js';
import { describeError, failedPrecondition, unavailable } from '../../../base/errors.js';
import { socketInNetns } from '../../../base/sys/connect.js';
import type { ContainerContext } from '../../container/context.js';

export interface ConnectRequest {
  readonly sandboxId: string;
  readonly port: number;
  readonly signal: AbortSignal;
}

/** What a pod's programs listen on for those who forward ports: IPv4 first, as the peers have it. */
const LOOPBACK = [
  { family: 4, host: '127.0.0.1' },
  { family: 6, host: '::1' },
] as const;

/**
 * Connects to a TCP port on a pod's loopback (CRI PortForward): on the node's, for a pod that uses its network.
 * @throws not-found; failed-precondition if the sandbox is not ready; unavailable if nobody listens on the port.
 */
export async function connect(
  { sandboxes }: ContainerContext,
  { sandboxId, port, signal }: ConnectRequest,
): Promise<Socket> {
  const { record, status } = sandboxes.find(sandboxId);
  if (status.state !== 'ready') throw failedPrecondition(`sandbox "${record.id}" is not ready: it is ${status.state}`);
  const reasons: string[] = [];
  for (const { family, host } of LOOPBACK) {
    throwIfAborted(signal);
    try {
      return await open(socketInNetns(record.netnsPath, family), { host, port, signal });
    } catch (error) {
      if (signal.aborted) throw abortReason(signal);
      reasons.push(describeError(error));
    }
  }
  throw unavailable(`cannot connect to port ${port} of sandbox "${record.id}": ${reasons.join('; ')}`);
}

async function open(
  socket: Socket,
  { host, port, signal }: { readonly host: string; readonly port: number; readonly signal: AbortSignal },
): Promise<Socket> {
  try {
    socket.connect({ host, port });
    await once(socket, 'connect', { signal });
    socket.setNoDelay(true);
    return socket;
  } catch (error) {
    socket.destroy();
    throw error;
  }
}
