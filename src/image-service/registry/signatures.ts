import { dataLoss, hasCode } from '../../base/errors.js';
import { readLimited } from './body.js';
import { digestOf, isDigest } from './digest.js';
import { fetchBlob } from './fetch-blob.js';
import { firstOf, type Patience } from './first-of.js';
import { isObject, parseObject, stringOf } from './json.js';
import type { Descriptor } from './manifest.js';
import type { PartialBlobs } from './partial-blobs.js';
import type { RegistrySession } from './session.js';

/** A signature as it came; nothing of it is verified. */
export interface Signature {
  readonly payload: Buffer;
  readonly signature: Buffer;
}

export interface SignatureSources {
  readonly sessions: readonly RegistrySession[];
  readonly patience: Patience;
  readonly partials: PartialBlobs;
  readonly signal: AbortSignal;
}

const PAYLOAD_TYPE = 'application/vnd.dev.cosign.simplesigning.v1+json';
const ANNOTATION = 'dev.cosignproject.cosign/signature';
/** Nobody signs an image so often; each one is a request. */
const MAX_SIGNATURES = 200;
/** Of all payloads together; each takes a few hundred bytes. */
const MAX_PAYLOADS = 4 << 20;

/**
 * Gives `check` the signatures that cosign put beside a manifest: a manifest with the tag `sha256-<hex>.sig`, whose layers are the
 * signed payloads. None if there is no such tag; nothing of what comes is verified but its digests. Those of the next server are tried
 * where one's are refused: a mirror may keep what a tag stood for earlier.
 */
export async function checkFetched(
  digest: string,
  sources: SignatureSources,
  check: (signatures: readonly Signature[]) => Promise<void>,
): Promise<void> {
  const what = `signatures of ${digest}`;
  const tag = `${digest.replace(':', '-')}.sig`;
  const attempt = async (session: RegistrySession): Promise<void> => {
    const { text } = await session.withSignal(sources.signal).fetchManifest(tag);
    await check(await fetchPayloads(readSignatures(text, `manifest ${tag}`), sources));
  };
  // Who resolves tags is asked; what a tag stands for need not be believed, since the keys tell.
  const sessions = sources.sessions.filter(({ endpoint }) => endpoint.resolve);
  try {
    await firstOf(sessions, what, { ...sources, attempt });
  } catch (error) {
    if (!hasCode(error, 'not-found')) throw error;
    await check([]);
  }
}

async function fetchPayloads(
  found: ReturnType<typeof readSignatures>,
  sources: SignatureSources,
): Promise<Signature[]> {
  const signatures: Signature[] = [];
  for (const { descriptor, signature } of found)
    signatures.push({ signature, payload: await fetchPayload(descriptor, sources) });
  return signatures;
}

function readSignatures(text: string, what: string): { descriptor: Descriptor; signature: Buffer }[] {
  const { layers } = parseObject(text, what);
  if (!Array.isArray(layers)) throw dataLoss(`${what} is no valid manifest`);
  const found = layers.filter(isObject).flatMap(({ mediaType, digest, size, annotations }) => {
    const signature = isObject(annotations) ? stringOf(annotations[ANNOTATION]) : '';
    if (mediaType !== PAYLOAD_TYPE || signature === '') return [];
    if (typeof digest !== 'string' || !isDigest(digest) || typeof size !== 'number' || !(size >= 0))
      throw dataLoss(`${what} has a malformed descriptor`);
    return [{ descriptor: { mediaType, digest, size }, signature: Buffer.from(signature, 'base64') }];
  });
  if (found.length > MAX_SIGNATURES)
    throw dataLoss(`${what} has ${found.length} signatures, more than ${MAX_SIGNATURES}`);
  const bytes = found.reduce((sum, { descriptor }) => sum + descriptor.size, 0);
  if (bytes > MAX_PAYLOADS) throw dataLoss(`${what} has signatures of ${bytes} bytes, more than ${MAX_PAYLOADS}`);
  return found;
}

function fetchPayload(descriptor: Descriptor, sources: SignatureSources): Promise<Buffer> {
  const what = `signature ${descriptor.digest}`;
  const use = async (source: AsyncIterable<Uint8Array>): Promise<Buffer> => {
    const bytes = await readLimited(source, descriptor.size, what);
    const found = digestOf(bytes, descriptor.digest);
    if (found !== descriptor.digest) throw dataLoss(`${what} has the digest ${found}`);
    return bytes;
  };
  const sessions = sources.sessions.filter(({ endpoint }) => endpoint.pull);
  return fetchBlob(descriptor, { ...sources, sessions, use }).catch((error: unknown) => {
    throw hasCode(error, 'not-found') ? dataLoss(`${what} is missing`, error) : error;
  });
}
