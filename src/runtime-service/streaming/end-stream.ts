import type { Writable } from 'node:stream';
import { finished } from 'node:stream/promises';

/** Ends the stream and waits until its connection has taken everything, or is gone. */
export async function endStream(stream: Writable): Promise<void> {
  if (!stream.writableEnded && !stream.destroyed) stream.end();
  await finished(stream, { readable: false }).catch(() => undefined);
}
