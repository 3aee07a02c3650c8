import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';

import { errnoOf } from '../../base/errors.js';
import { processesIn } from '../cgroup.js';
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

/** Gives all processes of a cgroup and below an oom_score_adj, as far as that can be done from here. */
export async function setOomScoreAdj(cgroupDir: string, wished: number): Promise<void> {
  const text = String(allowedOomScoreAdj(wished));
  for (const { process } of await processesIn(cgroupDir)) {
    await writeFile(`/proc/${process.pid}/oom_score_adj`, text).catch((error: unknown) => {
      // It has ended, or has a lower bound of its own that only the mighty may pass.
      if (!['ENOENT', 'ESRCH', 'EACCES'].includes(errnoOf(error) ?? '')) throw error;
    });
  }
}
