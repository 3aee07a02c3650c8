import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { sleep } from '../base/abort.js';
import { internal } from '../base/errors.js';
import { silentLogger } from '../base/log.js';
import { until } from '../base/testing.js';
import { imageOf, type Blob } from './image-fixture.js';
import { PullHouse, serveImage } from './pull-fixture.js';
import { PartialBlob, PartialBlobs, type PartialLease } from './registry/partial-blobs.js';

let house: PullHouse;
let ranges: (string | undefined)[];

beforeEach(async () => {
  ranges = [];
  house = await new PullHouse().open();
});
afterEach(() => house.close());

const big = imageOf({ layers: [[{ name: 'f', data: randomBytes(6 << 20) }]] });
const layer = big.blobs[1] as Blob;
const partial = (): string => join(house.root, 'images', 'partial');
const kept = (): string[] => (existsSync(partial()) ? readdirSync(partial()) : []);

type Answer = (response: ServerResponse, start: number, request: IncomingMessage) => void;

/** Serves the image; `answer` gets the requests for the layer. */
function serve(answer: Answer): RequestListener {
  return (request, response) => {
    if (request.url?.includes(layer.digest) !== true) {
      serveImage(big)(request, response);
      return;
    }
    const { range } = request.headers;
    ranges.push(range);
    answer(response, Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0), request);
  };
}

/** Answers the range, but breaks the connection after `limit` bytes. */
function upTo(limit: number): Answer {
  return (response, start) => {
    const headers = { 'content-length': layer.size - start, 'content-range': `bytes ${start}-` };
    const end = Math.min(start + limit, layer.size);
    response.writeHead(start > 0 ? 206 : 200, headers);
    response.write(layer.data.subarray(start, end), () => (end === layer.size ? response.end() : response.destroy()));
  };
}

describe('a layer whose connection breaks', () => {
  it('goes on where it stopped, in the same pull', async () => {
    await house.registry('cut.test', serve(upTo(2 << 20)));
    expect((await house.service.pull('cut.test/x')).id).toBe(big.id);
    expect(ranges.length).toBeGreaterThanOrEqual(3);
    expect(ranges.slice(1).every((range) => range !== undefined)).toBe(true);
    expect(kept()).toEqual([]);
  });

  it('goes on where it stopped in the next pull, of another daemon', async () => {
    let down = false;
    const cut = upTo(3 << 20);
    const address = await house.serve(
      serve((response, start, request) => {
        if (down) response.destroy();
        else cut(response, start, request);
        down = true;
      }),
    );
    house.hosts('cut.test', `server = "http://${address}"\n`);
    expect((await house.failure('cut.test/x')).code).toBe('unavailable');
    const [name = ''] = kept();
    const had = statSync(join(partial(), name)).size;
    expect(had).toBeGreaterThan(1 << 20);
    await house.open();
    ranges = [];
    await house.registry('cut.test', serve(upTo(layer.size)));
    expect((await house.service.pull('cut.test/x')).id).toBe(big.id);
    expect([ranges, kept()]).toEqual([[`bytes=${had}-`], []]);
  });

  it.each<[string, Answer, number]>([
    ['ignores ranges', (response) => void response.writeHead(200).end(layer.data), 1],
    [
      'refuses ranges',
      (response, start, request) => {
        if (start > 0) response.writeHead(416).end();
        else upTo(layer.size)(response, 0, request);
      },
      2,
    ],
    [
      'answers another range',
      (response, start, request) => {
        if (start > 0) response.writeHead(206, { 'content-range': `bytes ${start + 5}-` }).end('x');
        else upTo(layer.size)(response, 0, request);
      },
      2,
    ],
  ])('is whole when the server %s', async (_what, answer, requests) => {
    seed(layer.data.subarray(0, 1000));
    await house.registry('odd.test', serve(answer));
    expect((await house.service.pull('odd.test/x')).id).toBe(big.id);
    expect(ranges).toHaveLength(requests);
    expect(kept()).toEqual([]);
  });

  it('is fetched anew when the range that goes on where it stopped is refused', async () => {
    let cut = false;
    const refusing = serve((response, start, request) => {
      if (start > 0) response.writeHead(416).end();
      else upTo(cut ? layer.size : 2 << 20)(response, start, request);
      cut = true;
    });
    await house.registry('odd.test', refusing);
    expect((await house.service.pull('odd.test/x')).id).toBe(big.id);
    expect(ranges).toHaveLength(3);
  });

  it('is fetched anew when what was kept is wrong or too long', async () => {
    for (const junk of [Buffer.alloc(4096, 7), Buffer.alloc(layer.size + 1)]) {
      seed(junk);
      await house.registry('junk.test', serve(upTo(layer.size)));
      expect((await house.service.pull('junk.test/x')).id).toBe(big.id);
      expect([ranges.at(-1), kept()]).toEqual([undefined, []]);
      await house.service.remove('junk.test/x');
    }
  });

  it('that is here as a whole is not fetched at all', async () => {
    seed(layer.data);
    await house.registry('whole.test', serve(upTo(layer.size)));
    expect((await house.service.pull('whole.test/x')).id).toBe(big.id);
    expect(ranges).toEqual([]);
  });
});

function seed(data: Buffer): void {
  const directory = partial();
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, layer.digest.replace(':', '-')), data);
}

describe('a layer that a thread downloads', () => {
  const basic = `Basic ${Buffer.from('tester:secret').toString('base64')}`;
  const guarded = serve((response, start, request) => {
    if (request.headers.authorization === basic) upTo(2 << 20)(response, start, request);
    else response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
  });

  it('is asked for with the credentials of the call, which are kept for its next requests', async () => {
    await house.registry('guarded.test', guarded);
    const auth = { username: 'tester', password: 'secret' };
    expect((await house.service.pull('guarded.test/x', { auth })).id).toBe(big.id);
    // One refused, then the parts.
    expect(ranges.length).toBeGreaterThanOrEqual(4);
    expect(ranges.slice(0, 2)).toEqual([undefined, undefined]);
    expect(ranges.slice(2).every((range) => range !== undefined)).toBe(true);
  });

  it.each([
    ['no credentials', {}],
    ['wrong ones', { auth: { username: 'tester', password: 'wrong' } }],
  ])('is refused to a call with %s', async (_what, options) => {
    await house.registry('guarded.test', guarded);
    const failure = await house.failure('guarded.test/x', options);
    expect([failure.code, failure.message]).toEqual(['unauthenticated', expect.stringContaining(layer.digest)]);
  });

  it('says what the registry says, and when to come again', async () => {
    let asked = 0;
    const busy = serve((response, start, request) => {
      if (++asked > 1) upTo(layer.size)(response, start, request);
      else response.writeHead(429, { 'retry-after': '1' }).end('{"errors":[{"code":"TOOMANYREQUESTS"}]}');
    });
    await house.registry('busy.test', busy);
    const started = performance.now();
    expect((await house.service.pull('busy.test/x')).id).toBe(big.id);
    expect(performance.now() - started).toBeGreaterThan(1000);
  });
});

describe('partial blobs', () => {
  it('expire while nothing is pulled', async () => {
    seed(Buffer.from('old'));
    utimesSync(join(partial(), layer.digest.replace(':', '-')), new Date(0), new Date(0));
    const partials = new PartialBlobs({ directory: partial(), logger: silentLogger(), maxAgeMs: 240 });
    partials.start();
    while (kept().length > 0) await sleep(10);
    seed(Buffer.from('new'));
    while (kept().length > 0) await sleep(10);
    partials.stop();
  });

  it('expire, belong to one download at a time, and are not made for little', async () => {
    const partials = new PartialBlobs({ directory: partial(), logger: silentLogger(), maxAgeMs: 60_000 });
    seed(Buffer.from('old'));
    const path = join(partial(), layer.digest.replace(':', '-'));
    utimesSync(path, new Date(0), new Date(0));
    const other = { ...layer, digest: `sha256:${'0'.repeat(64)}` };
    const first = await partials.lease(other);
    const blob = await opened(first);
    expect([blob.offset, existsSync(path)]).toEqual([0, false]);
    expect(await partials.lease(other)).toBeUndefined();
    await blob.append(Buffer.from('abc'));
    await blob.keep();
    first?.release();
    const again = await opened(await partials.lease(other));
    expect(again.offset).toBe(3);
    await again.drop();
    expect(kept()).toEqual([]);
    expect(await partials.lease({ ...other, size: 5 })).toBeUndefined();
  });

  it('go when room is wanted: what is kept at once, the others when their download ends', async () => {
    const partials = new PartialBlobs({ directory: partial(), logger: silentLogger(), maxAgeMs: 60_000, worthMs: 0 });
    seed(Buffer.from('kept'));
    const other = { ...layer, digest: `sha256:${'0'.repeat(64)}` };
    const lease = await partials.lease(other);
    const blob = await opened(lease);
    await partials.clear();
    expect(kept()).toEqual([other.digest.replace(':', '-')]);
    await blob.append(Buffer.from('abc'));
    await blob.keep();
    lease?.release();
    await until(() => kept().length === 0);
    await until(async () => (await partials.lease(other)) !== undefined);
  });

  it('are not written where the whole would come again in no time', async () => {
    const [options, mega] = [{ directory: partial(), logger: silentLogger() }, Buffer.alloc(1 << 20, 7)];
    const whole = { ...layer, size: 3 << 20 };
    const place = (worthMs: number): Promise<PartialLease | undefined> =>
      new PartialBlobs({ ...options, worthMs }).lease(whole);
    const quick = await opened(await place(3_600_000));
    await quick.append(mega);
    await quick.append(mega);
    await quick.keep();
    expect(kept()).toEqual([]);
    const slow = await opened(await place(0));
    await slow.append(mega);
    await slow.keep();
    // What was begun once goes on, however fast the rest comes.
    const again = await opened(await place(3_600_000));
    await again.append(mega);
    await again.keep();
    expect(statSync(join(partial(), kept()[0] ?? '')).size).toBe(2 << 20);
  });
});

function opened(lease: PartialLease | undefined): Promise<PartialBlob> {
  if (lease === undefined) throw internal('there is no place');
  return PartialBlob.open(lease.place, layer.size);
}
