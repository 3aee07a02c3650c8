import { afterEach, describe, expect, it } from '@jest/globals';
import { pino } from 'pino';

import { notFound } from '../base/errors.js';
import { isQuiet } from './log-call.js';
import { startBench, statusOf, type Bench } from './testing.js';

let bench: Bench | undefined;

afterEach(async () => {
  await bench?.close();
  bench = undefined;
});

const LEVELS = { debug: 20, info: 30, warn: 40, error: 50 };

/** A logger that keeps its lines. */
function recorder() {
  const lines: Record<string, unknown>[] = [];
  const write = (line: string): void => void lines.push(JSON.parse(line) as Record<string, unknown>);
  return { lines, logger: pino({ level: 'debug', base: null }, { write }) };
}

describe('the log of calls', () => {
  it('has one line a call: info for a change, debug for a read', async () => {
    const { lines, logger } = recorder();
    bench = await startBench(
      { StopContainer: () => Promise.resolve({}), ListContainers: () => Promise.resolve({}) },
      { logger },
    );
    await bench.client.call('StopContainer', { containerId: 'c1' });
    await bench.client.call('ListContainers');
    expect(lines).toHaveLength(2);
    expect(lines[0]).toMatchObject({ level: LEVELS.info, rpc: 'StopContainer', container: 'c1', requestId: '1' });
    expect(lines[0]?.['ms']).toEqual(expect.any(Number));
    expect(lines[1]).toMatchObject({ level: LEVELS.debug, rpc: 'ListContainers', requestId: '2' });
    expect(lines[1]).not.toHaveProperty('container');
  });

  it('warns of an error with its code', async () => {
    const { lines, logger } = recorder();
    const handlers = { PodSandboxStatus: () => Promise.reject(notFound('sandbox "s"')) };
    bench = await startBench(handlers, { logger });
    await statusOf(bench.client.call('PodSandboxStatus', { podSandboxId: 's' }));
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatchObject({ level: LEVELS.warn, code: 'not-found', error: 'sandbox "s"', sandbox: 's' });
    expect(lines[0]).not.toHaveProperty('stack');
  });

  it('has no more of an id than an id is long', async () => {
    const { lines, logger } = recorder();
    bench = await startBench({ StopContainer: ({ containerId }) => Promise.reject(notFound(containerId)) }, { logger });
    const { details } = await statusOf(bench.client.call('StopContainer', { containerId: 'x'.repeat(15 << 20) }));
    expect(details.length).toBeLessThan(7_000);
    expect(String(lines[0]?.['container'])).toMatch(/^x+…\[\d+ characters cut\]…x+$/);
    expect(JSON.stringify(lines).length).toBeLessThan(10_000);
  });

  it('shows the stack of a bug', async () => {
    const { lines, logger } = recorder();
    bench = await startBench({ Status: () => Promise.reject(new TypeError('oops')) }, { logger });
    await statusOf(bench.client.call('Status'));
    expect(lines[0]).toMatchObject({ level: LEVELS.error, code: 'internal', error: 'oops' });
    expect(lines[0]?.['stack']).toContain('log-call.test');
  });

  it('tells the handler’s own lines from those of other calls', async () => {
    const { lines, logger } = recorder();
    const handlers = {
      Version: (_request: unknown, ctx: { logger: typeof logger }) => {
        ctx.logger.info('hello');
        return Promise.resolve({});
      },
    };
    bench = await startBench(handlers, { logger });
    await bench.client.call('Version');
    expect(lines[0]).toMatchObject({ msg: 'hello', requestId: '1', rpc: 'Version' });
  });

  it('knows reads from changes', () => {
    for (const rpc of ['ListImages', 'ContainerStatus', 'Status', 'ImageFsInfo', 'PodSandboxStats'] as const) {
      expect(isQuiet(rpc)).toBe(true);
    }
    for (const rpc of ['RunPodSandbox', 'PullImage', 'UpdateRuntimeConfig', 'RemoveContainer'] as const) {
      expect(isQuiet(rpc)).toBe(false);
    }
  });
});
