import { descriptorShares } from '../base/descriptor-shares.js';
import type { Logger } from '../base/log.js';
import type { Config } from '../config/config.js';
import { createStreamingBackend } from '../runtime-service/streaming/backend/index.js';
import { StreamingServer } from '../runtime-service/streaming/server.js';
import type { Pods } from './pods.js';

/** Serves the streams of Exec, Attach and PortForward. */
export async function startStreaming({ streaming }: Config, pods: Pods, logger: Logger): Promise<StreamingServer> {
  const { address, port, tlsCert, tlsKey, idleTimeout } = streaming;
  const { streamSessions, waitingStreamClients, forwardedConnections } = descriptorShares();
  const maxSessions = Math.min(streaming.maxSessions, streamSessions);
  if (maxSessions < streaming.maxSessions)
    logger.warn(
      { maxSessions },
      'fewer streaming sessions than streaming.max_sessions: the limit of open files is low',
    );
  const server = await StreamingServer.start({
    address,
    port,
    ...(tlsCert === '' ? {} : { tls: { cert: tlsCert, key: tlsKey } }),
    idleMs: idleTimeout * 1000,
    maxSessions,
    maxWaiting: waitingStreamClients,
    maxForwarded: forwardedConnections,
    backend: createStreamingBackend(pods.containers),
    logger,
  });
  if (tlsCert === '' && !isLoopback(address))
    logger.warn({ address }, 'streams are served without TLS beyond this node');
  return server;
}

/** Nobody but this node reaches it. */
export function isLoopback(address: string): boolean {
  return address.startsWith('127.') || address === '::1';
}
