import { readFileSync } from 'node:fs';

import { openFilesLimitIn } from './open-files-limit.js';

/** How many connections servers may have, so that pods and containers never lack descriptors for want of a limit elsewhere. */
export interface DescriptorShares {
  /** Connections to the socket of CRI. */
  readonly grpcConnections: number;
  /** Connections to the streaming server that have not asked for anything yet. */
  readonly waitingStreamClients: number;
  /** Sessions of exec, attach and port-forward; one may have a dozen descriptors. */
  readonly streamSessions: number;
  /** Connections to ports of pods, of all sessions. */
  readonly forwardedConnections: number;
  readonly metricsConnections: number;
}

/** Shares of RLIMIT_NOFILE, `limit`; less than half of it in all. */
export function descriptorShares(limit = openFilesLimit()): DescriptorShares {
  const share = (part: number, least: number, most: number): number =>
    Math.max(least, Math.min(most, Math.floor(limit / part)));
  return {
    grpcConnections: share(16, 16, 1_000),
    waitingStreamClients: share(16, 16, 500),
    streamSessions: share(64, 4, 100_000),
    forwardedConnections: share(8, 16, 100_000),
    metricsConnections: share(64, 4, 16),
  };
}

/** What Node has raised to the hard limit at its start. */
export function openFilesLimit(): number {
  return openFilesLimitIn(readFileSync('/proc/self/limits', 'utf8'))?.soft ?? 1_024;
}
