import { dataLoss } from '../base/errors.js';
import { algorithmOf, hashFor } from './registry/digest.js';
import type { Descriptor } from './registry/manifest.js';

const BLOCK = 512;

/**
 * A blob of an artifact as an archive of one file, so that it is stored as a layer is. The blob is verified on the way.
 * @throws data-loss after the last byte, for a blob that is not what its digest says.
 */
export async function* tarOfBlob(
  name: string,
  blob: Descriptor,
  source: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  // GNU's way for names past the 100 bytes of a header: an entry before, with the name as its content.
  const long = Buffer.from(`${name}\0`);
  yield header('././@LongLink', long.length, 'L');
  yield padded(long);
  yield header('file', blob.size, '0');
  yield* verified(blob, source);
  yield Buffer.alloc((BLOCK - (blob.size % BLOCK)) % BLOCK);
  yield Buffer.alloc(2 * BLOCK);
}

async function* verified(blob: Descriptor, source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const hash = hashFor(blob.digest);
  let size = 0;
  for await (const chunk of source) {
    size += chunk.byteLength;
    if (size > blob.size) throw dataLoss(`blob ${blob.digest} is longer than the ${blob.size} bytes of the manifest`);
    hash.update(chunk);
    yield chunk;
  }
  const found = `${algorithmOf(blob.digest)}:${hash.digest('hex')}`;
  if (size !== blob.size || found !== blob.digest) throw dataLoss(`blob ${blob.digest} has the digest ${found}`);
}

/** A header of POSIX's ustar, for a regular file of root or a name. */
function header(name: string, size: number, flag: string): Buffer {
  const block = Buffer.alloc(BLOCK);
  block.write(name, 0);
  block.write('0000644\0', 100);
  block.write('0000000\0', 108);
  block.write('0000000\0', 116);
  writeSize(block, size);
  block.write('00000000000\0', 136);
  block.write(flag, 156);
  block.write('ustar  \0', 257);
  block.fill(' ', 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}

/** Octal, or binary from 8 GiB on, as GNU has it. */
function writeSize(block: Buffer, size: number): void {
  if (size < 8 ** 11) {
    block.write(`${size.toString(8).padStart(11, '0')}\0`, 124);
    return;
  }
  block.writeUInt8(0x80, 124);
  block.writeBigUInt64BE(BigInt(size), 128);
}

function padded(data: Buffer): Buffer {
  return Buffer.concat([data, Buffer.alloc((BLOCK - (data.length % BLOCK)) % BLOCK)]);
}
