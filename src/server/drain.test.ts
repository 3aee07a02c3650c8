import { stat } from 'node:fs/promises';
import { afterEach, describe, expect, it } from '@jest/globals';
import { status } from '@grpc/grpc-js';

import { abortable } from '../base/abort.js';
import { startBench, statusOf, type Bench } from './testing.js';

let bench: Bench | undefined;

afterEach(async () => {
  await bench?.close();
  bench = undefined;
});

interface Gate {
  readonly opened: Promise<void>;
  open(): void;
}

function makeGate(): Gate {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open: () => open() };
}

describe('drain', () => {
  it('waits for a call under way, and takes no new one', async () => {
    const entered = makeGate();
    const finish = makeGate();
    bench = await startBench({
      StopContainer: async () => {
        entered.open();
        await finish.opened;
        return {};
      },
      Status: () => Promise.resolve({}),
    });
    const running = statusOf(bench.client.call('StopContainer'));
    await entered.opened;
    let drained = false;
    const draining = bench.server.drain(20_000).then(() => (drained = true));
    expect((await statusOf(bench.client.call('Status'))).code).toBe(status.UNAVAILABLE);
    expect(drained).toBe(false);
    finish.open();
    expect((await running).code).toBe(status.OK);
    await draining;
  });

  it('aborts at its deadline what goes on, and says why', async () => {
    const entered = makeGate();
    bench = await startBench({
      StopContainer: async (_request, { signal }) => {
        entered.open();
        await abortable(new Promise<never>(() => undefined), signal);
        return {};
      },
    });
    const running = statusOf(bench.client.call('StopContainer'));
    await entered.opened;
    await bench.server.drain(50);
    expect(await running).toEqual({ code: status.UNAVAILABLE, details: 'gantryd is shutting down' });
  });

  it('cuts off a handler that ignores its signal', async () => {
    const entered = makeGate();
    const never = makeGate();
    bench = await startBench({
      StopContainer: async () => {
        entered.open();
        await never.opened;
        return {};
      },
    });
    const running = statusOf(bench.client.call('StopContainer'));
    await entered.opened;
    await bench.server.drain(50);
    expect((await running).code).not.toBe(status.OK);
    never.open();
  });

  it('ends event streams at once', async () => {
    bench = await startBench({
      async *GetContainerEvents(_request, { signal }) {
        yield { containerId: 'a' };
        await abortable(new Promise<never>(() => undefined), signal);
      },
    });
    const stream = bench.client.stream('GetContainerEvents');
    const first = new Promise((resolve) => stream.once('data', resolve));
    const ended = new Promise<Error>((resolve) => stream.once('error', resolve));
    await first;
    const before = Date.now();
    await bench.server.drain(10_000);
    expect(await ended).toMatchObject({ code: status.UNAVAILABLE });
    expect(Date.now() - before).toBeLessThan(5000);
  });

  it('removes the socket', async () => {
    bench = await startBench({});
    await bench.server.drain(1000);
    await expect(stat(bench.server.address)).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
