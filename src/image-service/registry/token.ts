import { unauthenticated } from '../../base/errors.js';
import { readLimited } from './body.js';
import type { Challenge } from './challenge.js';
import type { Credentials } from './credentials.js';
import type { Endpoint } from './endpoint.js';
import type { HttpPool, HttpRequest } from './http.js';
import { parseObject, stringOf, type JsonObject } from './json.js';
import type { Token } from './token-cache.js';
import { isPassing, parseRetryAfter, transient } from './transient.js';

export interface TokenRequest {
  readonly endpoint: Endpoint;
  readonly challenge: Challenge;
  readonly credentials: Credentials;
  /** Used where the challenge names none. */
  readonly scope: string;
  readonly signal?: AbortSignal | undefined;
}

const MAX_TOKEN_BYTES = 1 << 20;
/** In seconds. */
const MAX_LIFETIME = 3600;

/**
 * Gets an access token from the server that a bearer challenge names (distribution, "Token Authentication"): with
 * GET and basic credentials, or with a refresh token by OAuth 2.
 * @throws unauthenticated if the server refuses.
 */
export async function fetchToken(http: HttpPool, options: TokenRequest): Promise<Token> {
  const realm = realmOf(options);
  const plain: Endpoint = { ...options.endpoint, headers: {} };
  const answer = await http.send(plain, { ...tokenRequest(realm, options), signal: options.signal });
  const text = (await readLimited(answer.body, MAX_TOKEN_BYTES, `the token of ${realm.origin}`)).toString('utf8');
  if (isPassing(answer.status)) {
    const retryAfterMs = parseRetryAfter(answer.headers['retry-after']);
    const message = `${realm.origin} answered ${answer.status} to the request for a token`;
    throw transient('unavailable', message, { retryAfterMs });
  }
  if (answer.status !== 200)
    throw unauthenticated(`${realm.origin} refused a token for ${options.scope} (status ${answer.status})`);
  const body = parseObject(text, `the token of ${realm.origin}`);
  const token = stringOf(body['token']) || stringOf(body['access_token']);
  if (!/^[\x21-\x7e]+$/.test(token)) throw unauthenticated(`${realm.origin} answered without a usable token`);
  return { text: token, lifetimeMs: lifetimeOf(body) };
}

/** `expires_in`, which is 60 seconds where it is not said (distribution, "Token Response Fields"). */
function lifetimeOf({ expires_in: seconds }: JsonObject): number {
  return 1000 * (typeof seconds === 'number' && seconds > 0 ? Math.min(seconds, MAX_LIFETIME) : 60);
}

/** Credentials that came for a server reached by TLS go to no server without it. */
function realmOf({ endpoint, challenge }: TokenRequest): URL {
  const realm = challenge.params['realm'] ?? '';
  const { origin, protocol } = new URL(endpoint.base);
  if (!URL.canParse(realm)) throw unauthenticated(`${origin} names no server for tokens`);
  const url = new URL(realm);
  if (url.protocol === 'https:' || url.protocol === protocol) return url;
  throw unauthenticated(`${origin} names ${url.origin} for tokens, which is not secure`);
}

function tokenRequest(realm: URL, { challenge, credentials, scope }: TokenRequest): HttpRequest {
  const params = new URLSearchParams({ scope: challenge.params['scope'] ?? scope });
  const service = challenge.params['service'];
  if (service !== undefined) params.set('service', service);
  if (credentials.kind === 'identity') return refreshRequest(realm, params, credentials.token);
  const url = new URL(realm);
  for (const [key, value] of params) url.searchParams.set(key, value);
  return { url: url.href, headers: credentials.kind === 'basic' ? { authorization: basicHeader(credentials) } : {} };
}

function refreshRequest(realm: URL, params: URLSearchParams, token: string): HttpRequest {
  params.set('grant_type', 'refresh_token');
  params.set('client_id', 'gantry');
  params.set('refresh_token', token);
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  return { url: realm.href, method: 'POST', headers, body: params.toString() };
}

export function basicHeader({ username, password }: { readonly username: string; readonly password: string }): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}
