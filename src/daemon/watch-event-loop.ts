import { monitorEventLoopDelay } from 'node:perf_hooks';

import type { Logger } from '../base/log.js';

/** How often it is looked; what is measured is that much more than the delay. */
const RESOLUTION_MS = 10;

/**
 * Logs at each SIGUSR2 how long the event loop was held up since the last one. It is watched with log.level debug only: looking
 * that often keeps an idle processor awake.
 */
export function watchEventLoop(logger: Logger): void {
  const delay = logger.isLevelEnabled('debug') ? monitorEventLoopDelay({ resolution: RESOLUTION_MS }) : undefined;
  delay?.enable();
  const over = (nanoseconds: number): number => Math.max(0, Math.round(nanoseconds / 1e4 - RESOLUTION_MS * 100) / 100);
  process.on('SIGUSR2', () => {
    if (delay === undefined) {
      logger.warn('SIGUSR2: the event loop is watched only with log.level debug');
      return;
    }
    logger.info({ maxMs: over(delay.max), p99Ms: over(delay.percentile(99)) }, 'event loop delay');
    delay.reset();
  });
}
