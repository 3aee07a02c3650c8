import type { FoundCredentials } from './auth-file.js';
import type { CredentialStore } from './credential-chain.js';
import { ANONYMOUS, readAuthConfig, registryOfAddress, type AuthConfig } from './credentials.js';
import { serverOf, type Endpoint } from './endpoint.js';
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
  const isMirror = endpoint.role === 'mirror';
  const server = isMirror ? registryOfAddress(serverOf(endpoint)) : reference.registry;
  const meant = auth?.serverAddress ? registryOfAddress(auth.serverAddress) : reference.registry;
  const own = auth === undefined || meant !== server ? ANONYMOUS : readAuthConfig(auth);
  if (own.kind !== 'anonymous') return { credentials: own, from: 'the call' };
  return (await store?.find(server, isMirror ? repository : reference.repository)) ?? NONE;
}
