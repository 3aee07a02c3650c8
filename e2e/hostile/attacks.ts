import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

import { imageOf, type FixtureImage } from '../../src/image-service/image-fixture.js';
import { paxEntry, tarEntry, tarOf, type FixtureEntry } from '../../src/image-service/layers/tar-fixture.js';

/** An image that is to take from the node what others need. */
export interface Attack {
  readonly what: string;
  /** Its name's path: the server knows it by that. */
  readonly name: string;
  readonly image: FixtureImage;
  /** Sends a byte of a layer in five seconds. */
  readonly trickles?: boolean;
  /** The reason for which it is refused; undefined if it is not. */
  readonly says?: RegExp;
}

const LAYERS = 3;
const times = <T>(count: number, make: (index: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i));

/** Three layers, of which none is like another. */
function threeOf(entries: (layer: number) => readonly FixtureEntry[], extra?: (layer: number) => Buffer): FixtureImage {
  const tars = times(LAYERS, (layer) => Buffer.concat([extra?.(layer) ?? Buffer.of(), tarOf(entries(layer))]));
  return imageOf({ layers: tars.map(() => []), pack: () => tars.pop() ?? Buffer.of() });
}

/** Chains of directories that a file in the last one implies. */
const chains = (layer: number, count: number, depth: number): FixtureEntry[] =>
  times(count, (chain) => ({ name: 'f', pax: { path: `${layer}-${chain}/${'d/'.repeat(depth)}f` } }));

const attributes = (name: string, length: number, count = 1): Record<string, string> =>
  Object.fromEntries(times(count, (i) => [`SCHILY.xattr.user.${name}${i}`, 'x'.repeat(length)]));

/** Tenants' images against the node: of what is refused, and of as much as is allowed. */
export function attacks(): Attack[] {
  return [
    {
      what: 'layers of which a byte comes in five seconds',
      name: 'trickle',
      image: threeOf((layer) => [{ name: `file-${layer}`, data: 'x'.repeat(2000) }]),
      trickles: true,
    },
    {
      what: 'chains of 1,900 directories',
      name: 'chains',
      image: threeOf((layer) => chains(layer, 6, 1900)),
      says: /levels deep, more than 256/,
    },
    {
      what: 'many chains as long as they may be',
      name: 'many-chains',
      image: threeOf((layer) => chains(layer, 60, 250)),
    },
    {
      what: 'attributes of a megabyte',
      name: 'attributes',
      image: threeOf((layer) =>
        times(120, (i) => ({ name: `${layer}-${i}`, flag: '5', pax: attributes('a', 1_000_000) })),
      ),
      says: /has 1000000 bytes, more than 65536/,
    },
    {
      what: 'as many attributes as there may be',
      name: 'many-attributes',
      image: threeOf((layer) =>
        times(5_000, (i) => ({ name: `${layer}-${i}`, flag: '5', pax: attributes('a', 400, 5) })),
      ),
    },
    {
      what: 'long extended headers before one file',
      name: 'headers',
      image: threeOf(
        (layer) => [{ name: `file-${layer}` }],
        () => Buffer.concat(times(120, () => paxEntry({ comment: 'x'.repeat(1_000_000) }))),
      ),
      says: /extended header of \d+ bytes/,
    },
    {
      what: 'as many extended headers as there may be',
      name: 'many-headers',
      image: threeOf(
        (layer) => [{ name: `file-${layer}` }],
        (layer) =>
          Buffer.concat(
            times(100, (i) =>
              Buffer.concat([
                ...times(30, () => paxEntry({ comment: 'x'.repeat(32_000) })),
                tarEntry({ name: `${layer}-${i}` }),
              ]),
            ),
          ),
      ),
    },
  ];
}

/** A server of the attacks' images, each under its name. */
export async function serveAttacks(
  all: readonly Attack[],
): Promise<{ readonly address: string; readonly server: Server }> {
  const server = createServer(handler(all));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { address: `127.0.0.1:${(server.address() as AddressInfo).port}`, server };
}

function handler(all: readonly Attack[]): RequestListener {
  return (request, response) => {
    const path = request.url?.split('?')[0]?.split('/') ?? [];
    const attack = all.find(({ name }) => path.includes(name));
    const { manifest, blobs } = attack?.image ?? {};
    const wanted = path.at(-1) ?? '';
    const blob = wanted.startsWith('sha256:') ? blobs?.find(({ digest }) => digest === wanted) : manifest;
    if (blob === undefined) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { 'content-type': blob.mediaType, 'content-length': blob.size });
    const isLayer = blob !== manifest && blob !== blobs?.[0];
    if (attack?.trickles !== true || !isLayer) {
      response.end(blob.data);
      return;
    }
    let sent = 0;
    response.write(blob.data.subarray(0, ++sent));
    const timer = setInterval(() => response.write(blob.data.subarray(sent, ++sent)), 5000);
    response.on('close', () => clearInterval(timer));
  };
}
