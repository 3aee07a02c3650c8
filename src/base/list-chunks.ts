/** Below what any client takes (4 MiB is gRPC's own default), and enough that messages cost little. */
const CHUNK_BYTES = 1024 * 1024;

/**
 * Joins parts, in their order, to chunks of at most `maxBytes`; a part that is larger is a chunk of its own. Parts are
 * asked for only as chunks are read, so that a slow reader holds up whoever makes them. No parts, no chunks.
 */
export async function* inChunks(
  parts: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  maxBytes = CHUNK_BYTES,
): AsyncGenerator<Buffer, void, void> {
  let held: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of parts) {
    if (held.length > 0 && bytes + part.byteLength > maxBytes) {
      yield Buffer.concat(held);
      held = [];
      bytes = 0;
    }
    held.push(part);
    bytes += part.byteLength;
  }
  if (held.length > 0) yield Buffer.concat(held);
}

/** How many items are worked on side by side, which bounds what a long list takes of the host at one time. */
const BATCH = 32;

/** What `work` makes of the items, a batch after the other, each only when it is read. */
export async function* inBatches<T, R>(
  items: readonly T[],
  work: (batch: readonly T[]) => Promise<readonly R[]>,
): AsyncGenerator<R, void, void> {
  for (let start = 0; start < items.length; start += BATCH) yield* await work(items.slice(start, start + BATCH));
}
