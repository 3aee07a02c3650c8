import { readFileSync } from 'node:fs';

import { openFilesLimitIn } from '../../base/open-files-limit.js';
import type { OciRlimit } from './types.js';

/**
 * Node raises its own soft limit of open files to the hard one, and children inherit it: programs that walk all
 * possible descriptors then take minutes. The launcher passes the limit from before in GANTRY_NOFILE_SOFT.
 */
export function inheritedRlimits(): OciRlimit[] {
  const soft = Number(process.env['GANTRY_NOFILE_SOFT']);
  if (!Number.isInteger(soft) || soft <= 0) return [];
  const { hard = NaN } = openFilesLimitIn(readFileSync('/proc/self/limits', 'utf8')) ?? {};
  return hard >= soft && hard < Infinity ? [{ type: 'RLIMIT_NOFILE', soft, hard }] : [];
}
