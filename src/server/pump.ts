import { once } from 'node:events';
import type { Writable } from 'node:stream';

import { abortable } from '../base/abort.js';

export interface PumpOptions {
  readonly encode: (message: object) => Buffer;
  readonly signal: AbortSignal;
}

/**
 * Writes what a handler yields, no faster than the client reads, until the handler ends. When the signal fires
 * it stops at once, even if the handler is waiting for its next item, and asks the handler to finish.
 */
export async function pump(items: AsyncIterable<object>, stream: Writable, options: PumpOptions): Promise<void> {
  const iterator = items[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await abortable(iterator.next(), options.signal);
      if (next.done) return;
      if (!stream.write(options.encode(next.value))) await abortable(once(stream, 'drain'), options.signal);
    }
  } catch (error) {
    // Not awaited: a generator that is still waiting would queue this behind its next item.
    void Promise.resolve(iterator.return?.()).catch(() => undefined);
    throw error;
  }
}
