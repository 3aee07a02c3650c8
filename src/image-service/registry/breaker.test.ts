import { describe, expect, it } from '@jest/globals';
import { pino } from 'pino';

import { unavailable } from '../../base/errors.js';
import { Breaker } from './breaker.js';

const at = (base: string): { endpoint: { base: string } } => ({ endpoint: { base } });

describe('Breaker', () => {
  it('puts a server that failed last for a while, longer each time, until it answers', () => {
    let now = 0;
    const log: string[] = [];
    const logger = pino({}, { write: (line: string) => void log.push(line) });
    const breaker = new Breaker({ logger, pauseMs: 100, now: () => now });
    const order = (): string[] => breaker.inOrder([at('a'), at('b')]).map(({ endpoint }) => endpoint.base);
    expect(order()).toEqual(['a', 'b']);
    breaker.failed('a', unavailable('it is down'), 0);
    breaker.failed('a', unavailable('it is down'), 0);
    expect([order(), breaker.trouble('a')]).toEqual([['b', 'a'], { why: 'it is down', forMs: 100 }]);
    expect(log).toHaveLength(1);
    now = 100;
    expect([order(), breaker.trouble('a')]).toEqual([['a', 'b'], undefined]);
    breaker.failed('a', unavailable('down'), 0);
    expect(breaker.trouble('a')?.forMs).toBe(200);
    breaker.succeeded('a');
    expect(order()).toEqual(['a', 'b']);
    expect(log[2]).toContain('answers again');
    breaker.failed('a', unavailable('down'), 5_000);
    expect(breaker.trouble('a')?.forMs).toBe(5_000);
    expect(breaker.all()).toEqual([{ server: 'a', why: 'down', forSeconds: 5 }]);
    now = 10_000;
    expect(breaker.all()).toEqual([]);
  });
});
