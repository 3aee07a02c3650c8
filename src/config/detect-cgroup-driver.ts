import { existsSync } from 'node:fs';

import type { Config } from './config.js';

/** The driver to use: the configured one, or for `auto` systemd exactly where systemd is the init, see sd_booted(3). */
export function detectCgroupDriver(configured: Config['cgroupDriver']): 'cgroupfs' | 'systemd' {
  if (configured !== 'auto') return configured;
  return existsSync('/run/systemd/system') ? 'systemd' : 'cgroupfs';
}
