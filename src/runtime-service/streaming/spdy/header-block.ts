import { inflateRawSync, constants } from 'node:zlib';

import { invalidArgument } from '../../../base/errors.js';
import { DICTIONARY } from './dictionary.js';

/** Names in lower case, as SPDY has them. */
export type Headers = ReadonlyMap<string, string>;

/** A client sends stream type, port and request id: what is longer is a bomb. */
const MAX_BLOCK_BYTES = 64 * 1024;
const MAX_HEADERS = 100;
/** How far back deflate can refer. */
const WINDOW = 32 * 1024;
const ZLIB_HEADER_BYTES = 2;
const DICTIONARY_ID_BYTES = 4;
/** zlib's header (RFC 1950 2.2). */
const DEFLATE = 8;
const HAS_DICTIONARY = 0x20;

/**
 * Reads the header blocks of one connection (SPDY/3 2.6.10). All share one deflate stream, so every block must pass
 * through here in its order, those of refused streams too. Blocks end at byte boundaries (Z_SYNC_FLUSH): then the last 32 KiB
 * are all the state there is, and no zlib object has to be kept and closed.
 */
export class HeaderReader {
  #window: Buffer = DICTIONARY.subarray(-WINDOW);
  #started = false;

  /** @throws invalid-argument for what cannot be decompressed or is no block of headers, and for too much of it */
  read(compressed: Buffer): Headers {
    const deflated = this.#started ? compressed : this.#skipZlibHeader(compressed);
    this.#started = true;
    const block = inflate(deflated, this.#window);
    this.#window = Buffer.concat([this.#window, block]).subarray(-WINDOW);
    return parseBlock(block);
  }

  #skipZlibHeader(compressed: Buffer): Buffer {
    const [method = 0, flags = 0] = compressed;
    const valid = (method & 0x0f) === DEFLATE && (method * 256 + flags) % 31 === 0;
    if (!valid || (flags & HAS_DICTIONARY) === 0) throw invalidArgument('spdy: the headers are not compressed by zlib');
    return compressed.subarray(ZLIB_HEADER_BYTES + DICTIONARY_ID_BYTES);
  }
}

function inflate(deflated: Buffer, dictionary: Buffer): Buffer {
  try {
    return inflateRawSync(deflated, {
      dictionary,
      finishFlush: constants.Z_SYNC_FLUSH,
      maxOutputLength: MAX_BLOCK_BYTES,
    });
  } catch (error) {
    throw invalidArgument('spdy: headers cannot be decompressed', error);
  }
}

function parseBlock(block: Buffer): Headers {
  const headers = new Map<string, string>();
  let offset = 0;
  const number = (): number => {
    if (offset + 4 > block.length) throw invalidArgument('spdy: a block of headers ends early');
    offset += 4;
    return block.readUInt32BE(offset - 4);
  };
  const text = (): string => {
    const length = number();
    if (offset + length > block.length) throw invalidArgument('spdy: a header is longer than its block');
    offset += length;
    return block.toString('latin1', offset - length, offset);
  };
  const count = number();
  if (count > MAX_HEADERS) throw invalidArgument(`spdy: ${count} headers, the limit is ${MAX_HEADERS}`);
  for (let left = count; left > 0; left--) headers.set(text().toLowerCase(), text());
  return headers;
}

const NO_HEADERS = Buffer.alloc(4);
/** An empty stored block: what Z_SYNC_FLUSH ends with. */
const SYNC = Buffer.from([0x00, 0x00, 0x00, 0xff, 0xff]);
const STORED = Buffer.from([0x00, NO_HEADERS.length, 0x00, ~NO_HEADERS.length & 0xff, 0xff]);
const ZLIB_HEADER = Buffer.from([0x78, 0x01]);

/** Writes the empty header blocks of one connection, stored: no state but that the first has zlib's header. */
export class EmptyHeaderWriter {
  #started = false;

  next(): Buffer {
    const start = this.#started ? [] : [ZLIB_HEADER];
    this.#started = true;
    return Buffer.concat([...start, STORED, NO_HEADERS, SYNC]);
  }
}
