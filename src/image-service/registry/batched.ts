/**
 * The same bytes in fewer, bigger chunks: each one costs a write to the disk, a message to a thread and a turn of zlib's,
 * and on a busy machine a wait for the processor with each of them. What came before an error is given first.
 */
export async function* batched(source: AsyncIterable<Uint8Array>, atLeast: number): AsyncGenerator<Uint8Array> {
  let kept: Uint8Array[] = [];
  let length = 0;
  let failure: { readonly error: unknown } | undefined;
  const take = (): Uint8Array => {
    const [only] = kept;
    const batch = kept.length === 1 && only !== undefined ? only : Buffer.concat(kept, length);
    kept = [];
    length = 0;
    return batch;
  };
  try {
    for await (const chunk of source) {
      kept.push(chunk);
      length += chunk.byteLength;
      if (length >= atLeast) yield take();
    }
  } catch (error) {
    failure = { error };
  }
  if (length > 0) yield take();
  if (failure !== undefined) throw failure.error;
}
