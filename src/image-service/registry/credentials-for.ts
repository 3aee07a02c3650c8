import type { FoundCredentials } from './auth-file.js';
import type { CredentialStore } from './credential-chain.js';
import { ANONYMOUS, readAuthConfig, registryOfAddress, type AuthConfig } from './credentials.js';
import type { Endpoint } from './endpoint.js';
import type { Reference } from './reference.js';

export interface CredentialSources {
  readonly reference: Reference;
  /** Of the CRI call. It is for the image's registry, or for the server that it names. */
  readonly auth?: AuthConfig | undefined;
  /** Where the node has credentials. */
  readonly store?: CredentialStore | undefined;
}

const NONE: FoundCredentials = { credentials: ANONYMOUS, from: 'none' };

/** What to show to an endpoint: the call's own credentials only to the registry that they are for. */
export async function credentialsFor(endpoint: Endpoint, sources: CredentialSources): Promise<FoundCredentials> {
  const { reference, auth, store } = sources;
  const repository = endpoint.path ?? reference.repository;
  if (endpoint.role === 'mirror') {
    const { host } = new URL(endpoint.base);
    return (await store?.find(registryOfAddress(host), repository)) ?? NONE;
  }
  const meant = auth?.serverAddress ? registryOfAddress(auth.serverAddress) : reference.registry;
  const own = auth === undefined || meant !== reference.registry ? ANONYMOUS : readAuthConfig(auth);
  if (own.kind !== 'anonymous') return { credentials: own, from: 'the call' };
  return (await store?.find(reference.registry, reference.repository)) ?? NONE;
}
