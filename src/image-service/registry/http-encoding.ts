import { Readable } from 'node:stream';
import * as zlib from 'node:zlib';

import { unavailable } from '../../base/errors.js';
import type { HttpAnswer } from './http-exchange.js';

/** What undoes a content coding (RFC 9110, 8.4.1). */
const DECODERS: Readonly<Record<string, (() => NodeJS.ReadWriteStream) | undefined>> = {
  gzip: () => zlib.createGunzip(),
  'x-gzip': () => zlib.createGunzip(),
  deflate: () => zlib.createInflate(),
  br: () => zlib.createBrotliDecompress(),
};

/**
 * An answer without the coding that its server gave the body, though `identity` was asked for: what counts is the content,
 * and its length is not known any more.
 * @throws unavailable for a coding that is not known
 */
export function decoded(answer: HttpAnswer): HttpAnswer {
  const { 'content-encoding': coding = 'identity', ...headers } = answer.headers;
  const name = coding.trim().toLowerCase();
  if (name === 'identity' || name === '') return answer;
  const decoder = DECODERS[name];
  if (decoder === undefined) {
    answer.body.destroy();
    throw unavailable(`${answer.origin} sends the content coding ${JSON.stringify(coding)}, which is not asked for`);
  }
  const rest = Object.fromEntries(Object.entries(headers).filter(([key]) => key !== 'content-length'));
  return { ...answer, headers: rest, body: new DecodedBody(answer.body, decoder) };
}

class DecodedBody implements AsyncIterable<Uint8Array> {
  readonly #body: HttpAnswer['body'];
  readonly #decoder: () => NodeJS.ReadWriteStream;

  constructor(body: HttpAnswer['body'], decoder: () => NodeJS.ReadWriteStream) {
    this.#body = body;
    this.#decoder = decoder;
  }

  destroy(): void {
    this.#body.destroy();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    const source = Readable.from(this.#body, { objectMode: false });
    const plain = source.pipe(this.#decoder()) as unknown as Readable;
    source.on('error', (error) => plain.destroy(error));
    try {
      for await (const chunk of plain) yield chunk as Uint8Array;
    } finally {
      source.destroy();
    }
  }
}
