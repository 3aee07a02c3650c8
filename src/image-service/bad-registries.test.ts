import type { RequestListener } from 'node:http';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { blobOf, imageOf, indexOf, sha256, type Blob, type FixtureImage } from './image-fixture.js';
import { hello, PullHouse, serveImage } from './pull-fixture.js';

let house: PullHouse;

beforeEach(async () => {
  house = await new PullHouse().open();
});
afterEach(() => house.close());

describe('what a registry may get wrong', () => {
  const layer = hello.blobs[1] as Blob;
  const sized = (image: FixtureImage, replace: Readonly<Record<string, Buffer>>): RequestListener =>
    serveImage(image, [], replace);
  const manifestAs =
    (body: Buffer, type: string): RequestListener =>
    (_request, response) =>
      void response.writeHead(200, { 'content-type': type }).end(body);
  const spoilt = (spoil: (manifest: Record<string, unknown>) => void): RequestListener =>
    serveImage(imageOf({ layers: [[{ name: 'f' }]], spoil }));
  const MANIFEST = hello.manifest.mediaType;

  const cases: readonly (readonly [string, RequestListener, string, RegExp])[] = [
    [
      'HTML for a manifest',
      manifestAs(Buffer.from('<html>'), 'text/html; charset=utf-8'),
      'data-loss',
      /came as "text\/html", which is no image manifest/,
    ],
    [
      'a manifest that is too long',
      manifestAs(Buffer.alloc(5 << 20, 0x20), MANIFEST),
      'data-loss',
      /longer than 4194304 bytes/,
    ],
    ['a manifest that is not JSON', manifestAs(Buffer.from('{'), MANIFEST), 'data-loss', /is not JSON/],
    [
      'a manifest of another type than announced',
      manifestAs(hello.manifest.data, 'application/vnd.oci.image.index.v1+json'),
      'data-loss',
      /came as .*index.* but says that it is/,
    ],
    [
      'schema 1',
      manifestAs(Buffer.from('{"schemaVersion":1}'), 'application/vnd.docker.distribution.manifest.v1+prettyjws'),
      'unimplemented',
      /schema 1/,
    ],
    [
      'an encrypted layer',
      spoilt(
        (manifest) =>
          (manifest['layers'] = [
            {
              ...(manifest['layers'] as object[])[0],
              mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip+encrypted',
            },
          ]),
      ),
      'failed-precondition',
      /unknown type/,
    ],
    [
      'both a manifest and an index',
      spoilt((manifest) => (manifest['manifests'] = [])),
      'data-loss',
      /no valid manifest/,
    ],
    [
      'a malformed digest',
      spoilt((manifest) => (manifest['config'] = { ...(manifest['config'] as object), digest: 'sha256:../../etc' })),
      'data-loss',
      /malformed digest/,
    ],
    [
      'more layers than the configuration lists',
      spoilt(
        (manifest) => (manifest['layers'] = [...(manifest['layers'] as object[]), ...(manifest['layers'] as object[])]),
      ),
      'data-loss',
      /2 layers, but its configuration lists 1/,
    ],
    [
      'a layer with other content',
      sized(hello, { [layer.digest]: Buffer.from(layer.data).fill(0x41, layer.size - 9) }),
      'data-loss',
      /layer sha256:.* (has the digest|broken)/,
    ],
    [
      'a layer that is too long',
      sized(hello, { [layer.digest]: Buffer.concat([layer.data, layer.data]) }),
      'data-loss',
      /is longer than the/,
    ],
    [
      'a layer that is cut off',
      sized(hello, { [layer.digest]: layer.data.subarray(0, 60) }),
      'data-loss',
      /has 60 bytes, where the manifest says|has the/,
    ],
    ['a layer that is a page', sized(hello, { [layer.digest]: Buffer.from('<html>') }), 'data-loss', /has 6 bytes/],
    [
      'a layer with another diff id',
      serveImage(imageOf({ layers: [[{ name: 'f' }]], diffIds: [sha256('other')] })),
      'data-loss',
      /uncompressed digest/,
    ],
    [
      'a layer that leaves the image',
      serveImage(imageOf({ layers: [[{ name: '../evil', data: 'x' }]] })),
      'data-loss',
      /entry "\.\.\/evil"/,
    ],
    [
      'a layer of rubbish',
      serveImage(imageOf({ layers: [[]], compress: () => Buffer.alloc(2048, 7) })),
      'data-loss',
      /checksum|number/,
    ],
    [
      'another machine',
      serveImage(imageOf({ layers: [[]], architecture: 'plan9' })),
      'not-found',
      /is for linux\/plan9/,
    ],
    [
      'a configuration with other content',
      sized(hello, { [hello.blobs[0]?.digest ?? '']: Buffer.alloc(hello.blobs[0]?.size ?? 0, 0x20) }),
      'data-loss',
      /configuration sha256:.* has the digest/,
    ],
    [
      'a connection that breaks',
      (request, response) =>
        request.url?.includes('/blobs/') ? response.destroy() : serveImage(hello)(request, response),
      'unavailable',
      /no answer from/,
    ],
    [
      'redirects without end',
      (request, response) => void response.writeHead(302, { location: request.url ?? '' }).end(),
      'unavailable',
      /redirects more than 10 times/,
    ],
    [
      'silence in a layer',
      (request, response) =>
        request.url?.includes(layer.digest)
          ? response.writeHead(200).write(layer.data.subarray(0, 20))
          : serveImage(hello)(request, response),
      'unavailable',
      /the connection broke while reading blob/,
    ],
    [
      'a missing image',
      (_request, response) =>
        void response
          .writeHead(404, { 'content-type': 'application/json' })
          .end('{"errors":[{"code":"MANIFEST_UNKNOWN","message":"not \\u0007 here"}]}'),
      'not-found',
      /answered 404 for manifests\/latest: MANIFEST_UNKNOWN not \? here/,
    ],
    [
      'a server that expects TLS, as those in Go tell',
      (_request, response) =>
        void response
          .writeHead(400, { 'content-type': 'text/plain; charset=utf-8' })
          .end('Client sent an HTTP request to an HTTPS server.\nmore'),
      'unavailable',
      /answered 400 for manifests\/latest: Client sent an HTTP request to an HTTPS server\.$/,
    ],
    [
      'a page for people',
      (_request, response) => void response.writeHead(403, { 'content-type': 'text/html' }).end('<h1>No</h1>'),
      'permission-denied',
      /answered 403 for manifests\/latest$/,
    ],
  ];

  it.each(cases)('%s', async (_name, handler, code, message) => {
    await house.registry('bad.test', handler);
    const failed = await house.failure('bad.test/x');
    expect(failed.message).toMatch(message);
    expect(failed.message).toContain('bad.test/x');
    expect(failed.code).toBe(code);
    expect(await house.leftovers()).toEqual([]);
  });

  it('a digest that the manifest does not have', async () => {
    const wanted = sha256('something else');
    await house.registry('bad.test', manifestAs(hello.manifest.data, MANIFEST));
    const { code, message } = await house.failure(`bad.test/x@${wanted}`);
    expect([code, message.includes(`not ${wanted}`)]).toEqual(['data-loss', true]);
  });

  it('a pull works after one that failed', async () => {
    let broken = true;
    const address = await house.serve((request, response) => {
      if (broken && request.url?.includes(layer.digest)) response.writeHead(500).end();
      else serveImage(hello)(request, response);
    });
    house.hosts('flaky.test', `server = "http://${address}"`);
    expect((await house.failure('flaky.test/x')).code).toBe('unavailable');
    broken = false;
    expect((await house.service.pull('flaky.test/x')).id).toBe(hello.id);
  });

  it('an index without an image for this machine says what there is', async () => {
    const index = indexOf([[hello, 'plan9']]);
    await house.registry('bad.test', manifestAs(index.data, index.mediaType));
    expect(await house.failure('bad.test/x')).toEqual({
      code: 'not-found',
      message: expect.stringContaining('only linux/plan9'),
    });
    const nothing = blobOf(index.mediaType, { schemaVersion: 2, manifests: [] });
    await house.registry('bad.test', manifestAs(nothing.data, nothing.mediaType));
    expect((await house.failure('bad.test/x')).message).toContain('only nothing');
  });
});
