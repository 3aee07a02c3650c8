import { afterEach, describe, expect, it } from '@jest/globals';
import { status } from '@grpc/grpc-js';

import { RPCS } from '../../api/cri/generated/services.js';
import { abortable, abortReason } from '../base/abort.js';
import { codeOf } from '../base/errors.js';
import type { Handlers } from './handlers.js';
import { connectHttp2, grpcHeaders, startBench, statusOf, type Bench } from './testing.js';

let bench: Bench | undefined;

afterEach(async () => {
  await bench?.close();
  bench = undefined;
});

/** A handler that works until its signal fires, and what it then saw. */
function endless(): { handlers: Handlers; started: Promise<void>; ended: Promise<string | undefined> } {
  let onStart = (): void => undefined;
  let onEnd: (code: string | undefined) => void = () => undefined;
  const started = new Promise<void>((resolve) => (onStart = resolve));
  const ended = new Promise<string | undefined>((resolve) => (onEnd = resolve));
  const StopContainer: Handlers['StopContainer'] = async (_request, { signal }) => {
    onStart();
    await abortable(new Promise<never>(() => undefined), signal).finally(() => onEnd(codeOf(abortReason(signal))));
    return {};
  };
  return { handlers: { StopContainer }, started, ended };
}

describe('the signal of a call', () => {
  it('fires when the client cancels', async () => {
    const { handlers, started, ended } = endless();
    bench = await startBench(handlers);
    const cancel = new AbortController();
    const answer = statusOf(bench.client.call('StopContainer', {}, { signal: cancel.signal }));
    await started;
    cancel.abort();
    expect(await ended).toBe('cancelled');
    expect((await answer).code).toBe(status.CANCELLED);
  });

  it('fires when the deadline passes', async () => {
    const { handlers, ended } = endless();
    bench = await startBench(handlers);
    const answer = await statusOf(bench.client.call('StopContainer', {}, { deadline: Date.now() + 200 }));
    expect(answer.code).toBe(status.DEADLINE_EXCEEDED);
    expect(await ended).toBe('deadline-exceeded');
  });

  it('fires when the connection is lost', async () => {
    const { handlers, started, ended } = endless();
    bench = await startBench(handlers);
    const session = connectHttp2(bench.server.address);
    const stream = session.request(grpcHeaders(RPCS.StopContainer.path)).end(Buffer.alloc(5));
    await started;
    session.destroy();
    expect(await ended).toBe('cancelled');
    expect(stream.destroyed).toBe(true);
  });

  it('stays quiet when the call ends well, since work may go on behind it', async () => {
    let kept: AbortSignal | undefined;
    bench = await startBench({
      StartContainer: (_request, { signal }) => {
        kept = signal;
        return Promise.resolve({});
      },
    });
    await bench.client.call('StartContainer');
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(kept?.aborted).toBe(false);
  });
});
