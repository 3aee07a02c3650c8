import { codeOf, dataLoss } from '../../base/errors.js';
import { transient } from './transient.js';

/** Reads a short body. @throws data-loss past the limit; unavailable if the connection breaks. */
export async function readLimited(body: AsyncIterable<Uint8Array>, limit: number, what: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of named(body, what)) {
    length += chunk.byteLength;
    if (length > limit) throw dataLoss(`${what} is longer than ${limit} bytes`);
    chunks.push(Buffer.from(chunk));
  }
  return Buffer.concat(chunks, length);
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
