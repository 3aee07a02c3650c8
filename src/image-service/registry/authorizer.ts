import { parseChallenges } from './challenge.js';
import { ANONYMOUS } from './credentials.js';
import { credentialsFor, type CredentialSources } from './credentials-for.js';
import type { Endpoint } from './endpoint.js';
import type { HttpPool } from './http.js';
import type { TokenCache } from './token-cache.js';
import { basicHeader, fetchToken, type TokenRequest } from './token.js';

/** A 401. */
export interface Refused {
  /** Who refuses: the server itself, or one that it redirects to. */
  readonly origin: string;
  /** Its `WWW-Authenticate`. */
  readonly challenges: string | string[] | undefined;
  /** The `Authorization` that it refuses. */
  readonly authorization: string | undefined;
  /** Path of the repository on that server. */
  readonly repository: string;
}

/** Finds what to answer a 401 with; undefined if there is nothing more to show. */
export type Authorize = (refused: Refused, signal?: AbortSignal) => Promise<string | undefined>;

export interface AuthorizerOptions {
  readonly http: HttpPool;
  readonly tokens: TokenCache;
  readonly sources: CredentialSources;
}

/** Answers what one server asks, with the credentials of one pull. */
export function authorizer(endpoint: Endpoint, { http, tokens, sources }: AuthorizerOptions): Authorize {
  /** A token that was kept, unless it is the one that was just refused. */
  async function tokenFor({ signal, ...request }: TokenRequest, refused: string | undefined): Promise<string> {
    const kept = tokens.find(request);
    if (kept !== undefined && refused !== `Bearer ${kept}`) return kept;
    tokens.forget(request);
    const token = await fetchToken(http, { ...request, signal });
    tokens.keep(request, token);
    return token.text;
  }

  async function answer(refused: Refused, signal?: AbortSignal): Promise<string> {
    const { origin, challenges, authorization, repository } = refused;
    const isOwn = origin === new URL(endpoint.base).origin;
    // Nobody's credentials are for whoever a server redirects to; without any, many give a token.
    const { credentials } = isOwn ? await credentialsFor(endpoint, sources) : { credentials: ANONYMOUS };
    const asked: Endpoint = isOwn ? endpoint : { ...endpoint, base: origin };
    if (credentials.kind === 'registry') return `Bearer ${credentials.token}`;
    const offered = parseChallenges(challenges);
    const challenge = offered.find(({ scheme }) => scheme === 'bearer');
    const scope = `repository:${repository}:pull`;
    if (challenge !== undefined)
      return `Bearer ${await tokenFor({ endpoint: asked, challenge, credentials, scope, signal }, authorization)}`;
    const basic = offered.some(({ scheme }) => scheme === 'basic');
    return basic && credentials.kind === 'basic' ? basicHeader(credentials) : '';
  }

  return async (refused, signal) => {
    const authorization = await answer(refused, signal);
    // What was refused once is not shown again.
    return authorization === '' || authorization === refused.authorization ? undefined : authorization;
  };
}
