import { basename, join } from 'node:path';

import type { Scratch } from './scratch.js';
import { SETTINGS } from './settings.js';

/** Where a server of the suite logs: beside its files, or where logs go and stay. */
export function logFileOf({ dir }: Scratch, server: string): string {
  if (SETTINGS.logs === undefined) return join(dir, `${server}.log`);
  return join(SETTINGS.logs, `${basename(dir)}-${server}.log`);
}
