import type { SecureContext } from 'node:tls';

import { abortReason } from '../../base/abort.js';
import { BoundedMap } from '../../base/bounded-map.js';
import { errnoOf, unavailable } from '../../base/errors.js';
import type { Endpoint, TlsSettings } from './endpoint.js';
import { HttpAgents } from './http-agents.js';
import { decoded } from './http-encoding.js';
import { exchange, type HttpAnswer, type HttpTimeouts } from './http-exchange.js';
import { noAnswer } from './no-answer.js';
import { Proxies, type Environment } from './proxies.js';
import { secureContext } from './tls.js';

export interface HttpRequest {
  readonly url: string;
  readonly method?: 'GET' | 'POST';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** `Authorization` by origin: each server gets its own, whoever redirects to it. */
  readonly authorizations?: Readonly<Record<string, string>> | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What a pool is made of; plain, so that another thread can have one of its own. */
export interface HttpSettings {
  readonly timeouts: HttpTimeouts;
  /** The variables that name proxies. */
  readonly environment: Environment;
}

const MAX_REDIRECTS = 10;
/** Digests are of contents as they are, and some servers code what nobody forbids them to. */
const PLAIN = { 'accept-encoding': 'identity' };
const MAX_CONTEXTS = 32;
/** Headers that belong to one server; a redirect to another must not carry them. */
const PRIVATE_HEADERS = ['authorization', 'cookie', 'proxy-authorization'];

/** HTTP connections, kept alive, one set for each way to trust a server. */
export class HttpPool {
  readonly #agents = new HttpAgents();
  readonly #contexts = new BoundedMap<string, Promise<SecureContext>>(MAX_CONTEXTS);
  readonly #timeouts: HttpTimeouts;
  readonly #proxies: Proxies;

  constructor(timeouts: HttpTimeouts, proxies = new Proxies({})) {
    this.#timeouts = timeouts;
    this.#proxies = proxies;
  }

  get settings(): HttpSettings {
    return { timeouts: this.#timeouts, environment: this.#proxies.environment };
  }

  /**
   * Sends a request and follows redirects. The body must be read to its end or destroyed.
   * @throws unavailable naming the server if there is no answer; cancelled or deadline-exceeded for the signal.
   */
  async send(endpoint: Endpoint, { url, authorizations = {}, ...rest }: HttpRequest): Promise<HttpAnswer> {
    let target = new URL(url);
    let headers: Record<string, string> = { ...PLAIN, ...endpoint.headers, ...rest.headers };
    for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
      const authorization = authorizations[target.origin];
      const all = authorization === undefined ? headers : { ...headers, authorization };
      const answer = await this.#sendOnce(endpoint, { ...rest, url: target.href, headers: all });
      const next = redirectOf(answer, target);
      if (next === undefined) return decoded(answer);
      answer.body.destroy();
      if (next.origin !== target.origin) {
        // Who is asked by POST is shown a secret in the body.
        if (rest.body !== undefined)
          throw unavailable(`${target.origin} redirects what is for it alone to ${next.origin}`);
        headers = withoutPrivate(headers, endpoint);
      }
      target = next;
    }
    throw unavailable(`${new URL(url).origin} redirects more than ${MAX_REDIRECTS} times`);
  }

  /** The host of the proxy that an address is asked through; its user and password are nobody's business. */
  proxyFor(url: string): string | undefined {
    return this.#proxies.for(new URL(url))?.host;
  }

  close(): Promise<void> {
    return this.#agents.close();
  }

  async #sendOnce(endpoint: Endpoint, { url, signal, ...rest }: HttpRequest, attempt = 1): Promise<HttpAnswer> {
    const target = new URL(url);
    const { tls, dialTimeoutMs } = endpoint;
    const [proxy, secure] = [this.#proxies.for(target), target.protocol === 'https:'];
    const secureContext = secure ? await this.#contextFor(tls) : undefined;
    const agent = await this.#agents.get(JSON.stringify(tls), { secure, proxy });
    const connectMs = dialTimeoutMs ?? this.#timeouts.connectMs;
    try {
      return await exchange(target, {
        method: 'GET',
        headers: {},
        ...rest,
        signal,
        agent,
        tls: { secureContext, rejectUnauthorized: !tls.skipVerify },
        timeouts: { ...this.#timeouts, connectMs },
      });
    } catch (error) {
      if (signal?.aborted) throw abortReason(signal);
      // The server may have closed a kept connection at the moment that we used it.
      if (attempt === 1 && isReset(error)) return this.#sendOnce(endpoint, { url, signal, ...rest }, 2);
      const { origin } = target;
      throw noAnswer(proxy === undefined ? origin : `${origin} through the proxy ${proxy.host}`, error);
    }
  }

  /** Made once for each way to trust a server: it takes a while. */
  #contextFor(tls: TlsSettings): Promise<SecureContext> {
    const key = JSON.stringify(tls);
    const known = this.#contexts.get(key);
    if (known !== undefined) return known;
    const context = secureContext(tls);
    this.#contexts.set(key, context);
    context.catch(() => this.#contexts.delete(key));
    return context;
  }
}

function redirectOf({ status, headers }: HttpAnswer, from: URL): URL | undefined {
  const location = headers.location;
  if (![301, 302, 303, 307, 308].includes(status) || typeof location !== 'string') return undefined;
  if (!URL.canParse(location, from.href)) throw unavailable(`${from.origin} redirects to a malformed address`);
  const next = new URL(location, from.href);
  if (next.protocol === 'https:' || next.protocol === from.protocol) return next;
  throw unavailable(`${from.origin} redirects from https to ${next.origin}, which is not secure`);
}

function withoutPrivate(headers: Record<string, string>, endpoint: Endpoint): Record<string, string> {
  const secret = [...PRIVATE_HEADERS, ...Object.keys(endpoint.headers)];
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !secret.includes(name.toLowerCase())));
}

function isReset(error: unknown): boolean {
  return ['ECONNRESET', 'EPIPE'].includes(errnoOf(error) ?? '');
}
