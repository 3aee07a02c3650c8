import type { AuthFile } from './auth-file.js';
import { ANONYMOUS, readAuthConfig, registryOfAddress, type AuthConfig, type Credentials } from './credentials.js';
import type { Endpoint } from './endpoint.js';
import type { Reference } from './reference.js';

export interface CredentialSources {
  readonly reference: Reference;
  /** Of the CRI call. It is for the image's registry, or for the server that it names. */
  readonly auth?: AuthConfig | undefined;
  readonly authFile?: AuthFile | undefined;
}

/** What to show to an endpoint: the call's own credentials only to the registry that they are for. */
export function credentialsFor(endpoint: Endpoint, sources: CredentialSources): Credentials {
  const { reference, auth, authFile } = sources;
  if (endpoint.role === 'mirror') {
    const { host } = new URL(endpoint.base);
    return authFile?.find(registryOfAddress(host), endpoint.path ?? reference.repository) ?? ANONYMOUS;
  }
  const meant = auth?.serverAddress ? registryOfAddress(auth.serverAddress) : reference.registry;
  const own = auth === undefined || meant !== reference.registry ? ANONYMOUS : readAuthConfig(auth);
  if (own.kind !== 'anonymous') return own;
  return authFile?.find(reference.registry, reference.repository) ?? ANONYMOUS;
}
