import { codeOf, dataLoss } from '../../base/errors.js';
import { transient } from './transient.js';

const FIRST_BYTES = 16 << 10;

/** Reads a short body. @throws data-loss past the limit; unavailable if the connection breaks. */
export async function readLimited(body: AsyncIterable<Uint8Array>, limit: number, what: string): Promise<Buffer> {
  // One buffer: of a body that comes byte by byte, a list of its chunks would be a hundred times as long.
  let bytes = Buffer.alloc(Math.min(limit, FIRST_BYTES));
  let length = 0;
  for await (const chunk of named(body, what)) {
    const wanted = length + chunk.byteLength;
    if (wanted > limit) throw dataLoss(`${what} is longer than ${limit} bytes`);
    if (wanted > bytes.length) bytes = Buffer.concat([bytes], Math.min(limit, Math.max(wanted, 2 * bytes.length)));
    bytes.set(chunk, length);
    length = wanted;
  }
  return bytes.subarray(0, length);
}

/** The body's chunks; an error of the connection names what was being read. */
export async function* named(body: AsyncIterable<Uint8Array>, what: string): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of body) yield chunk;
  } catch (error) {
    if (codeOf(error) !== undefined) throw error;
    throw transient('unavailable', `the connection broke while reading ${what}`, { cause: error });
  }
}
