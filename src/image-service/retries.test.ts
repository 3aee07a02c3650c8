import type { RequestListener } from 'node:http';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import type { Blob } from './image-fixture.js';
import { hello, PullHouse, serveImage } from './pull-fixture.js';

let house: PullHouse;

beforeEach(async () => {
  house = await new PullHouse().open();
});
afterEach(() => house.close());

const layer = hello.blobs[1] as Blob;

/** Serves the image, but spoils the first `times` requests whose address has `part`. */
function flaky(part: string, times: number, spoil: RequestListener): RequestListener {
  let left = times;
  return (request, response) => {
    const hit = request.url?.includes(part) === true && left-- > 0;
    (hit ? spoil : serveImage(hello))(request, response);
  };
}

const answer =
  (status: number, headers: Record<string, string> = {}): RequestListener =>
  (_request, response) =>
    void response.writeHead(status, headers).end('busy');

describe('a failure that passes', () => {
  it.each([
    ['429 for a manifest', flaky('/manifests/', 1, answer(429))],
    ['500 for a configuration', flaky(hello.id, 1, answer(500))],
    ['502 for a layer', flaky(layer.digest, 1, answer(502))],
    ['a cut connection', flaky(layer.digest, 2, (_request, response) => void response.destroy())],
    [
      'a short body',
      flaky(layer.digest, 1, (_request, response) => {
        response.writeHead(200, { 'content-length': layer.size });
        response.write(layer.data.subarray(0, 50), () => response.destroy());
      }),
    ],
    [
      'silence',
      flaky(layer.digest, 1, (_request, response) => void response.writeHead(200).write(layer.data.subarray(0, 9))),
    ],
  ])('does not end the pull: %s', async (_what, handler) => {
    await house.registry('flaky.test', handler);
    expect((await house.service.pull('flaky.test/x')).id).toBe(hello.id);
    expect(house.list('layers')).toHaveLength(1);
  });

  it('ends the pull when it does not pass', async () => {
    await house.registry('down.test', answer(503));
    const { code, message } = await house.failure('down.test/x');
    expect([code, message]).toEqual(['unavailable', expect.stringContaining('answered 503 for manifests/latest')]);
  });

  it('is waited for as long as the server asks, within bounds', async () => {
    await house.registry('wait.test', flaky('/manifests/', 1, answer(429, { 'retry-after': '1' })));
    const started = performance.now();
    await house.service.pull('wait.test/x');
    expect(performance.now() - started).toBeGreaterThan(990);
    await house.registry('long.test', flaky('/manifests/', 1, answer(429, { 'retry-after': '3600' })));
    expect((await house.failure('long.test/y')).code).toBe('resource-exhausted');
  });

  it('is not asked about again once the registry itself has spoken', async () => {
    let asked = 0;
    const mirror = await house.serve((request, response) => {
      asked++;
      answer(503)(request, response);
    });
    house.hosts('r.test', `server = "http://${await house.serve(answer(404))}"\n[host."http://${mirror}"]\n`);
    expect((await house.failure('r.test/x')).message).toContain('answered 404');
    expect(asked).toBe(1);
  });

  it('lets the caller leave meanwhile', async () => {
    await house.registry('wait.test', answer(429, { 'retry-after': '4' }));
    const started = performance.now();
    const failed = await house.failure('wait.test/x', { signal: AbortSignal.timeout(100) });
    expect([failed.code, performance.now() - started < 2_000]).toEqual(['deadline-exceeded', true]);
  });
});

describe('a mirror that failed', () => {
  it('is asked last by later pulls', async () => {
    const seen: string[] = [];
    const good = await house.serve(serveImage(hello));
    const dead = await house.serve((request, response) => {
      seen.push(request.url ?? '');
      answer(503)(request, response);
    });
    house.hosts('m.test', `server = "http://${good}"\n[host."http://${dead}"]\n`);
    await house.service.pull('m.test/one');
    expect(seen).toHaveLength(1);
    await house.service.pull('m.test/two');
    expect(seen).toHaveLength(1);
  });
});
