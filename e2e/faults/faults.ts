import type { ServerResponse } from 'node:http';

import { sendAll, type Answer, type Fault } from './fault-proxy.js';

/** Where a fault is: in the big layer, in its configuration, in the manifest. */
export type Place = 'layer' | 'config' | 'manifest';

export interface Trouble {
  readonly what: string;
  readonly place: Place;
  readonly fault: Fault;
  /** The image all the same, or the code of an error that says `says`. */
  readonly ends: 'image' | 'UNAVAILABLE' | 'DATA_LOSS' | 'RESOURCE_EXHAUSTED' | 'UNAUTHENTICATED' | 'NOT_FOUND';
  readonly says?: RegExp;
}

const HTML = Buffer.from('<html>Please sign in to the airport’s network</html>');

/** Sends `count` bytes of what was announced, and closes. */
const cutAfter =
  (count: number): Fault =>
  ({ status, headers, body }, response) => {
    response.writeHead(status, { ...headers, 'content-length': body.length });
    response.write(body.subarray(0, count), () => response.destroy());
  };

/** Sends `count` bytes and then nothing more. */
const stallAfter =
  (count: number): Fault =>
  ({ status, headers, body }, response) =>
    void response.writeHead(status, { ...headers, 'content-length': body.length }).write(body.subarray(0, count));

const answer =
  (status: number, headers: Record<string, string> = {}, body: Buffer = HTML): Fault =>
  (_, response) =>
    void response
      .writeHead(status, { 'content-type': 'text/html', ...headers, 'content-length': body.length })
      .end(body);

/** Another body with a length that fits it, or with none (`chunked`). */
const body =
  (change: (body: Buffer) => Buffer, chunked = false): Fault =>
  (given, response) => {
    const changed = change(given.body);
    if (chunked) response.writeHead(given.status, given.headers).end(changed);
    else sendAll({ ...given, body: changed }, response);
  };

const first =
  (count: number, fault: Fault): Fault =>
  (given, response) =>
    (given.times <= count ? fault : sendAll)(given, response);

/** One way at first, another when the rest is asked for. */
const resumed =
  (begin: Fault, rest: Fault): Fault =>
  (given, response) =>
    (given.start === 0 && given.times === 1 ? begin : given.start > 0 ? rest : sendAll)(given, response);

function flipped(data: Buffer): Buffer {
  const copy = Buffer.from(data);
  copy.writeUInt8(copy.readUInt8(copy.length >> 1) ^ 1, copy.length >> 1);
  return copy;
}

const otherRange = ({ headers, body: data, start }: Answer, response: ServerResponse): void =>
  void response
    .writeHead(206, { ...headers, 'content-range': `bytes ${start + 7}-`, 'content-length': data.length })
    .end(data);

const MB = 1 << 20;

/** One of each kind, for every way to reach a registry. */
export const COMMON: readonly Trouble[] = [
  { what: 'cuts the layer again and again', place: 'layer', fault: cutAfter(1.5 * MB), ends: 'image' },
  {
    what: 'never sends a byte of the layer',
    place: 'layer',
    fault: cutAfter(0),
    ends: 'UNAVAILABLE',
    says: /blob sha256:/,
  },
  { what: 'falls silent in the layer once', place: 'layer', fault: first(1, stallAfter(2 * MB)), ends: 'image' },
  { what: 'answers 500 for the layer at first', place: 'layer', fault: first(2, answer(500)), ends: 'image' },
  {
    what: 'changes a bit of the layer',
    place: 'layer',
    fault: body(flipped),
    ends: 'DATA_LOSS',
    says: /layer sha256:/,
  },
];

export const MORE: readonly Trouble[] = [
  {
    what: 'falls silent in the layer always',
    place: 'layer',
    fault: stallAfter(0),
    ends: 'UNAVAILABLE',
    says: /blob sha256:/,
  },
  {
    what: 'is too busy for the layer, for a second',
    place: 'layer',
    fault: first(2, answer(429, { 'retry-after': '1' })),
    ends: 'image',
  },
  {
    what: 'is too busy for the layer, for an hour',
    place: 'layer',
    fault: answer(429, { 'retry-after': '3600' }),
    ends: 'RESOURCE_EXHAUSTED',
    says: /answered 429 for blobs\/sha256:/,
  },
  {
    what: 'answers 502 with a page for the layer',
    place: 'layer',
    fault: answer(502),
    ends: 'UNAVAILABLE',
    says: /502/,
  },
  {
    what: 'answers a page for the layer',
    place: 'layer',
    fault: answer(200),
    ends: 'DATA_LOSS',
    says: /blob sha256:.* has \d+ bytes/,
  },
  { what: 'has lost the layer', place: 'layer', fault: answer(404), ends: 'NOT_FOUND', says: /404 for blobs/ },
  {
    what: 'announces and sends less of the layer',
    place: 'layer',
    fault: body((data) => data.subarray(0, 2 * MB)),
    ends: 'DATA_LOSS',
    says: /has 2097152 bytes, where the manifest says/,
  },
  {
    what: 'announces and sends more of the layer',
    place: 'layer',
    fault: body((data) => Buffer.concat([data, Buffer.alloc(MB)])),
    ends: 'DATA_LOSS',
    says: /has \d+ bytes, where the manifest says/,
  },
  {
    what: 'announces no length and sends less of the layer',
    place: 'layer',
    fault: body((data) => data.subarray(0, 2 * MB), true),
    ends: 'DATA_LOSS',
    says: /has 2097152 bytes, where the manifest says/,
  },
  {
    what: 'announces no length and sends more of the layer',
    place: 'layer',
    fault: body((data) => Buffer.concat([data, Buffer.alloc(MB)]), true),
    ends: 'DATA_LOSS',
    says: /longer than the \d+ bytes/,
  },
  {
    what: 'ignores ranges',
    place: 'layer',
    fault: resumed(
      cutAfter(3 * MB),
      body((data) => data),
    ),
    ends: 'image',
  },
  { what: 'answers another range', place: 'layer', fault: resumed(cutAfter(3 * MB), otherRange), ends: 'image' },
  { what: 'refuses ranges', place: 'layer', fault: resumed(cutAfter(3 * MB), answer(416)), ends: 'image' },
  {
    what: 'spoils the rest of the layer',
    place: 'layer',
    fault: resumed(cutAfter(3 * MB), body(flipped)),
    ends: 'image',
  },
  { what: 'answers 500 for the manifest at first', place: 'manifest', fault: first(2, answer(500)), ends: 'image' },
  {
    what: 'answers a page for the manifest',
    place: 'manifest',
    fault: answer(200),
    ends: 'DATA_LOSS',
    says: /text\/html/,
  },
  { what: 'cuts the manifest', place: 'manifest', fault: cutAfter(100), ends: 'UNAVAILABLE', says: /manifest/ },
  { what: 'changes the manifest', place: 'manifest', fault: body(flipped), ends: 'DATA_LOSS', says: /has the digest/ },
  { what: 'wants other credentials', place: 'manifest', fault: answer(401), ends: 'UNAUTHENTICATED', says: /401/ },
  { what: 'cuts the configuration at first', place: 'config', fault: first(2, cutAfter(50)), ends: 'image' },
  {
    what: 'changes the configuration',
    place: 'config',
    fault: body(flipped),
    ends: 'DATA_LOSS',
    says: /configuration sha256/,
  },
];
