import { fileURLToPath } from 'node:url';

import { dataLoss, unavailable } from '../../../base/errors.js';
import { fileChunks, isMissing } from '../../layout-files.js';
import { readLimited } from '../../registry/body.js';
import { DEFAULT_TLS, type Endpoint } from '../../registry/endpoint.js';
import type { HttpPool } from '../../registry/http.js';
import type { Reference } from '../../registry/reference.js';

/** Nobody signs an image so often; each one is a request. */
const MAX_SIGNATURES = 200;
/** Of all of them together; each takes some hundred bytes. */
const MAX_BYTES = 4 << 20;

export interface SignaturePlace {
  /** See `Lookaside.baseFor`. */
  readonly base: string;
  readonly reference: Reference;
  /** Of the manifest. */
  readonly digest: string;
}

/**
 * The signatures of a manifest: `<base>/<repository>@<algorithm>=<hex>/signature-<n>`, from 1 on until one is not there
 * (containers/image, signature-protocols.md). Nothing of them is verified.
 */
export async function fetchSignatures(
  { base, reference, digest }: SignaturePlace,
  { http, signal }: { readonly http: HttpPool; readonly signal?: AbortSignal | undefined },
): Promise<Buffer[]> {
  const directory = `${base.replace(/\/+$/, '')}/${reference.repository}@${digest.replace(':', '=')}`;
  const found: Buffer[] = [];
  let left = MAX_BYTES;
  for (let number = 1; number <= MAX_SIGNATURES; number++) {
    const url = `${directory}/signature-${number}`;
    const bytes = url.startsWith('file:') ? await readFileAt(url, left) : await get(url, { http, signal, limit: left });
    if (bytes === undefined) return found;
    left -= bytes.length;
    found.push(bytes);
  }
  throw dataLoss(`${directory} has more than ${MAX_SIGNATURES} signatures`);
}

async function readFileAt(url: string, limit: number): Promise<Buffer | undefined> {
  try {
    return await readLimited(fileChunks(fileURLToPath(url)), limit, url);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

interface Getting {
  readonly http: HttpPool;
  readonly signal?: AbortSignal | undefined;
  readonly limit: number;
}

async function get(url: string, { http, signal, limit }: Getting): Promise<Buffer | undefined> {
  const answer = await http.send(serverOf(url), { url, signal });
  if (answer.status === 200) return readLimited(answer.body, limit, url);
  answer.body.destroy();
  if (answer.status === 404) return undefined;
  throw unavailable(`${new URL(url).origin} answered ${answer.status} for ${url}`);
}

/** No registry: nobody's credentials go there. */
function serverOf(url: string): Endpoint {
  const { origin } = new URL(url);
  return {
    ...{ base: origin, role: 'mirror', resolve: false, pull: false },
    ...{ tls: DEFAULT_TLS, headers: {}, why: 'registries.d' },
  };
}
