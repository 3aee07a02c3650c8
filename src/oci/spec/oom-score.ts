import { readFileSync } from 'node:fs';

import { ownCapabilities } from './capabilities.js';

/**
 * The oom_score_adj that can be set from here: without CAP_SYS_RESOURCE the kernel refuses to go below the daemon's
 * own (proc(5)), so a lower wish becomes that, where the peers fail the container.
 */
export function allowedOomScoreAdj(wished: number): number {
  if (ownCapabilities().has('CAP_SYS_RESOURCE')) return wished;
  const own = Number(readFileSync('/proc/self/oom_score_adj', 'utf8'));
  return Math.max(wished, own);
}
