import { afterEach, describe, expect, it } from '@jest/globals';
import { status } from '@grpc/grpc-js';

import type { runtime } from '../../api/cri/generated/api.cjs';
import { RPCS } from '../../api/cri/generated/services.js';
import { notFound } from '../base/errors.js';
import { connectHttp2, grpcHeaders, startBench, statusOf, type Bench } from './testing.js';

let bench: Bench | undefined;

afterEach(async () => {
  await bench?.close();
  bench = undefined;
});

type Event = runtime.v1.IContainerEventResponse;

async function collect(stream: AsyncIterable<Event>, into: string[] = []): Promise<string[]> {
  for await (const event of stream) into.push(event.containerId ?? '');
  return into;
}

describe('a streaming call', () => {
  it('sends what the handler yields, in order, and ends', async () => {
    bench = await startBench({
      async *GetContainerEvents() {
        for (const containerId of ['a', 'b', 'c']) yield await Promise.resolve({ containerId });
      },
    });
    expect(await collect(bench.client.stream('GetContainerEvents'))).toEqual(['a', 'b', 'c']);
  });

  it('ends with the status of what the handler throws', async () => {
    bench = await startBench({
      async *GetContainerEvents() {
        yield await Promise.resolve({ containerId: 'a' });
        throw notFound('the rest');
      },
    });
    const got: string[] = [];
    const answer = await statusOf(collect(bench.client.stream('GetContainerEvents'), got));
    expect(answer).toEqual({ code: status.NOT_FOUND, details: 'the rest' });
    expect(got).toEqual(['a']);
  });

  it('is UNIMPLEMENTED without a handler', async () => {
    bench = await startBench({});
    const answer = await statusOf(collect(bench.client.stream('GetContainerEvents')));
    expect(answer).toEqual({
      code: status.UNIMPLEMENTED,
      details: 'unknown method GetContainerEvents for service runtime.v1.RuntimeService',
    });
  });

  it('runs no further ahead than its client reads', async () => {
    let made = 0;
    const containerId = 'x'.repeat(64 * 1024);
    bench = await startBench({
      async *GetContainerEvents() {
        for (; made < 2000; made++) yield await Promise.resolve({ containerId });
      },
    });
    const session = connectHttp2(bench.server.address);
    const stream = session.request(grpcHeaders(RPCS.GetContainerEvents.path)).end(Buffer.alloc(5));
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(made).toBeGreaterThan(0);
    expect(made).toBeLessThan(100);
    let bytes = 0;
    for await (const chunk of stream as AsyncIterable<Buffer>) bytes += chunk.length;
    expect(bytes).toBeGreaterThan(2000 * containerId.length);
    session.destroy();
  });

  it('lets the handler clean up when the client leaves, even if it waits for an item', async () => {
    let cleaned = (): void => undefined;
    const cleanedUp = new Promise<void>((resolve) => (cleaned = resolve));
    bench = await startBench({
      async *GetContainerEvents(_request, { signal }) {
        try {
          yield { containerId: 'a' };
          await new Promise((resolve) => signal.addEventListener('abort', resolve));
        } finally {
          cleaned();
        }
      },
    });
    const stream = bench.client.stream('GetContainerEvents');
    const failed = new Promise<Error>((resolve) => stream.once('error', resolve));
    stream.once('data', () => stream.cancel());
    await cleanedUp;
    expect(await failed).toMatchObject({ code: status.CANCELLED });
  });
});
