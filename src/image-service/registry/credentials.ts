import { invalidArgument } from '../../base/errors.js';

/** How to show who asks. Never logged, never part of a message. */
export type Credentials =
  | { readonly kind: 'anonymous' }
  | { readonly kind: 'basic'; readonly username: string; readonly password: string }
  /** A refresh token, good for access tokens. */
  | { readonly kind: 'identity'; readonly token: string }
  /** An access token, sent as it is. */
  | { readonly kind: 'registry'; readonly token: string };

/** CRI's AuthConfig. */
export interface AuthConfig {
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  /** Base64 of `username:password`. */
  readonly auth?: string | undefined;
  readonly serverAddress?: string | undefined;
  readonly identityToken?: string | undefined;
  readonly registryToken?: string | undefined;
}

export const ANONYMOUS: Credentials = { kind: 'anonymous' };

/**
 * The best form that an AuthConfig has: beside a token, name and password are a mere placeholder, as in what clouds' tools write.
 * @throws invalid-argument for an `auth` that is not base64 of both.
 */
export function readAuthConfig(config: AuthConfig): Credentials {
  if (config.identityToken) return { kind: 'identity', token: config.identityToken };
  if (config.registryToken) return { kind: 'registry', token: config.registryToken };
  if (config.username) return { kind: 'basic', username: config.username, password: config.password ?? '' };
  if (config.auth) return decodeBasic(config.auth, 'auth.auth');
  return ANONYMOUS;
}

/** @param where names the field in the error, which never has its content. */
export function decodeBasic(auth: string, where: string): Credentials {
  const text = Buffer.from(auth, 'base64').toString('utf8').replace(/\0+$/, '');
  const colon = text.indexOf(':');
  const isBase64 = /^[A-Za-z0-9+/_-]+={0,2}$/.test(auth.trim());
  if (!isBase64 || colon < 1) throw invalidArgument(`${where} is not base64 of a user name, a colon and a password`);
  return { kind: 'basic', username: text.slice(0, colon), password: text.slice(colon + 1) };
}

/** The registry that a server address of Docker's configuration stands for: `https://index.docker.io/v1/` is Docker Hub. */
export function registryOfAddress(address: string): string {
  const host = address.replace(/^https?:\/\//, '').replace(/\/.*$/, '');
  return ['index.docker.io', 'registry-1.docker.io', 'registry.hub.docker.com'].includes(host) ? 'docker.io' : host;
}
