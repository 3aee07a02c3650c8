import {
  dataLoss,
  type GantryError,
  notFound,
  permissionDenied,
  unauthenticated,
  unavailable,
} from '../../base/errors.js';
import type { Authorize, Refused } from './authorizer.js';
import { checkBigDocument } from './big-document.js';
import { named, readLimited } from './body.js';
import { digestOf, isDigest } from './digest.js';
import type { Endpoint } from './endpoint.js';
import type { HttpPool, HttpSettings } from './http.js';
import type { HttpAnswer } from './http-exchange.js';
import { isObject, parseObject, stringOf } from './json.js';
import type { BlobName } from './manifest.js';
import { ACCEPT } from './media-types.js';
import type { Reference } from './reference.js';
import { isPassing, parseRetryAfter, transient } from './transient.js';

/** Registries refuse bigger manifests; so must we (OCI distribution-spec, "Pushing Manifests"). */
const MAX_MANIFEST = 4 << 20;
const MAX_ERROR = 64 << 10;

export interface FetchedManifest {
  readonly text: string;
  readonly mediaType: string;
  readonly digest: string;
}

/** The name that an image goes by. */
export type ImagePlace = Pick<Reference, 'registry' | 'repository'>;

export interface SessionOptions {
  readonly http: HttpPool;
  readonly image: ImagePlace;
  readonly authorize: Authorize;
  /** What earlier requests were answered for, by origin. */
  readonly authorizations?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
}

/** What another thread needs to go on with a conversation, but for the answers to challenges. */
export interface SessionOrder {
  readonly endpoint: Endpoint;
  readonly image: ImagePlace;
  readonly authorizations: Readonly<Record<string, string>>;
  readonly http: HttpSettings;
}

/** One pull's conversation with one endpoint: what it learned of authentication is kept to the end of the pull. */
export class RegistrySession {
  readonly endpoint: Endpoint;
  readonly #options: SessionOptions;
  #authorizations: Readonly<Record<string, string>>;

  constructor(endpoint: Endpoint, options: SessionOptions) {
    this.endpoint = endpoint;
    this.#options = options;
    this.#authorizations = options.authorizations ?? {};
  }

  /** The same conversation, to be ended by another signal. */
  withSignal(signal: AbortSignal): RegistrySession {
    return new RegistrySession(this.endpoint, { ...this.#options, authorizations: this.#authorizations, signal });
  }

  get order(): SessionOrder {
    const { image, http } = this.#options;
    const { registry, repository } = image;
    return {
      endpoint: this.endpoint,
      image: { registry, repository },
      authorizations: this.#authorizations,
      http: http.settings,
    };
  }

  /** Answers a challenge that came here or in another thread, and remembers the answer. */
  async authorize(refused: Refused): Promise<string | undefined> {
    const { authorize, signal } = this.#options;
    const authorization = await authorize(refused, signal);
    if (authorization !== undefined)
      this.#authorizations = { ...this.#authorizations, [refused.origin]: authorization };
    return authorization;
  }

  /** Fetches a manifest by tag or digest, and verifies it against the digest asked for or announced. */
  async fetchManifest(reference: string): Promise<FetchedManifest> {
    const what = `manifest ${reference}`;
    const answer = await this.#get(`manifests/${reference}`, { accept: ACCEPT });
    const mediaType = mediaTypeOf(answer);
    if (!/[/+]json$|prettyjws$/.test(mediaType)) {
      answer.body.destroy();
      throw dataLoss(`${what} came as ${JSON.stringify(mediaType)}, which is no image manifest`);
    }
    const bytes = await readLimited(answer.body, MAX_MANIFEST, what);
    const digest = verifyManifest(
      bytes,
      isDigest(reference) ? reference : answer.headers['docker-content-digest'],
      what,
    );
    const text = bytes.toString('utf8');
    await checkBigDocument(text, what);
    return { text, mediaType: mediaType === 'application/json' ? '' : mediaType, digest };
  }

  /**
   * Opens a blob, from its byte `offset` on. Its content is for the reader to verify.
   * @throws data-loss if its length is announced wrong.
   */
  async openBlob({ digest, size }: BlobName, offset = 0): Promise<AsyncIterable<Uint8Array>> {
    const what = `blob ${digest}`;
    const answer = await this.#get(`blobs/${digest}`, offset === 0 ? {} : { range: `bytes=${offset}-` });
    const start = answer.status === 206 ? rangeStart(answer) : 0;
    const length = answer.headers['content-length'];
    const wrong = start > offset ? `came from byte ${start} on, not ${offset}` : undefined;
    const says = length === undefined || Number(length) + start === size ? undefined : `has ${length} bytes`;
    if (wrong !== undefined || says !== undefined) {
      answer.body.destroy();
      throw dataLoss(`${what} ${wrong ?? `${says ?? ''}, where the manifest says ${size - start}`}`);
    }
    const body = named(answer.body, what);
    return start === offset ? body : skip(body, offset - start);
  }

  async #get(path: string, headers: Record<string, string>): Promise<HttpAnswer> {
    const url = this.#url(path);
    for (let tries = 1; ; tries++) {
      const answer = await this.#send(url, headers);
      if (isContent(answer)) return answer;
      // The second answer may have been a token that was kept too long, and the third is a new one.
      const isAnswered = answer.status === 401 && tries < 3 && (await this.#answerChallenge(answer));
      if (!isAnswered) throw await refusal(answer, this.endpoint, path);
      answer.body.destroy();
    }
  }

  get #repository(): string {
    return this.endpoint.path ?? this.#options.image.repository;
  }

  async #answerChallenge(answer: HttpAnswer): Promise<boolean> {
    const { origin, headers } = answer;
    const challenges = headers['www-authenticate'];
    const authorization = this.#authorizations[origin];
    const refused = { origin, challenges, authorization, repository: this.#repository };
    return (await this.authorize(refused)) !== undefined;
  }

  /** Mirrors are told by `ns` which registry is meant, as containerd does, unless their path says it. */
  #url(path: string): string {
    const url = new URL(`${this.endpoint.base}/${this.#repository}/${path}`);
    if (this.endpoint.role === 'mirror' && this.endpoint.path === undefined)
      url.searchParams.set('ns', this.#options.image.registry);
    return url.href;
  }

  #send(url: string, headers: Record<string, string>): Promise<HttpAnswer> {
    const { http, signal } = this.#options;
    return http.send(this.endpoint, { url, headers, authorizations: this.#authorizations, signal });
  }
}

/** 206 comes only to who asked for a range. */
function isContent({ status }: HttpAnswer): boolean {
  return status === 200 || status === 206;
}

/** Where a partial answer begins (RFC 9110, 14.4); past all blobs if it does not say. */
function rangeStart({ headers }: HttpAnswer): number {
  const start = /^bytes (\d{1,15})-/.exec(headers['content-range'] ?? '')?.[1];
  return start === undefined ? Number.MAX_SAFE_INTEGER : Number(start);
}

/** A server may answer with more than the range, or with all. */
async function* skip(source: AsyncIterable<Uint8Array>, count: number): AsyncGenerator<Uint8Array> {
  let left = count;
  for await (const chunk of source) {
    if (left < chunk.byteLength) yield chunk.subarray(left);
    left = Math.max(0, left - chunk.byteLength);
  }
}

function mediaTypeOf(answer: HttpAnswer): string {
  const [type = ''] = (answer.headers['content-type'] ?? '').split(';');
  return type.trim().toLowerCase();
}

function verifyManifest(bytes: Buffer, expected: string | string[] | undefined, what: string): string {
  const known = typeof expected === 'string' && isDigest(expected) ? expected : undefined;
  const digest = digestOf(bytes, known);
  if (known !== undefined && known !== digest) throw dataLoss(`${what} has the digest ${digest}, not ${known}`);
  return digest;
}

/** The error for an answer that is not 200, with what the registry says of it. */
async function refusal(answer: HttpAnswer, endpoint: Endpoint, path: string): Promise<GantryError> {
  const said = await errorText(answer);
  const asked = new URL(endpoint.base).origin;
  const redirected = answer.origin === asked ? '' : `, to which ${asked} redirects,`;
  const message = `${answer.origin}${redirected} answered ${answer.status} for ${path}${said === '' ? '' : `: ${said}`}`;
  if (answer.status === 401) return unauthenticated(message);
  if (answer.status === 403) return permissionDenied(message);
  if (answer.status === 404) return notFound(message);
  // The range is not in the blob that it has.
  if (answer.status === 416) return dataLoss(message);
  if (!isPassing(answer.status)) return unavailable(message);
  const retryAfterMs = parseRetryAfter(answer.headers['retry-after']);
  return transient(answer.status === 429 ? 'resource-exhausted' : 'unavailable', message, { retryAfterMs });
}

/** What a registry says of an error: the first message of its document, or a plain text; nothing of a page made for people. */
async function errorText(answer: HttpAnswer): Promise<string> {
  const bytes = await readLimited(answer.body, MAX_ERROR, 'the error').catch(() => Buffer.of());
  const text = bytes.toString('utf8');
  const [line = ''] = mediaTypeOf(answer) === 'text/plain' ? text.split('\n', 1) : [];
  return (firstMessage(text) ?? line)
    .replace(/[^\x20-\x7e]/g, '?')
    .slice(0, 200)
    .trim();
}

/** OCI distribution-spec, "Error Codes". */
function firstMessage(text: string): string | undefined {
  try {
    const { errors } = parseObject(text, 'the error');
    const first: unknown = Array.isArray(errors) ? errors[0] : undefined;
    return isObject(first) ? `${stringOf(first['code'])} ${stringOf(first['message'])}` : undefined;
  } catch {
    return undefined;
  }
}
