import { afterEach, describe, expect, it } from '@jest/globals';
import { pino } from 'pino';

import { until } from '../base/testing.js';
import { watchEventLoop } from './watch-event-loop.js';

afterEach(() => void process.removeAllListeners('SIGUSR2'));

/** What is logged at the signal after the event loop was blocked for 200 ms. */
async function logged(level: string): Promise<Record<string, unknown>> {
  const lines: string[] = [];
  watchEventLoop(pino({ level }, { write: (line: string) => void lines.push(line) }));
  await new Promise((resolve) => setTimeout(resolve, 50));
  const end = performance.now() + 200;
  while (performance.now() < end) continue;
  await new Promise((resolve) => setTimeout(resolve, 50));
  process.emit('SIGUSR2');
  await until(() => lines.length > 0);
  return JSON.parse(lines[0] ?? '') as Record<string, unknown>;
}

describe('watchEventLoop', () => {
  it('logs at SIGUSR2 how long the event loop was held up', async () => {
    const { msg, maxMs, p99Ms } = await logged('debug');
    expect([msg, typeof p99Ms]).toEqual(['event loop delay', 'number']);
    expect(maxMs).toBeGreaterThan(150);
  });

  it('survives the signal where nothing is watched', async () => {
    expect((await logged('info'))['msg']).toContain('only with log.level debug');
  });
});
