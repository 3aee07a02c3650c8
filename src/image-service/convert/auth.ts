import type { runtime } from '../../../api/cri/generated/api.cjs';
import type { AuthConfig } from '../registry/credentials.js';

/** CRI's AuthConfig as ours; nothing to show if there is none. */
export function authFromCri(auth: runtime.v1.IAuthConfig | null | undefined): AuthConfig | undefined {
  if (auth == null) return undefined;
  return {
    username: auth.username ?? '',
    password: auth.password ?? '',
    auth: auth.auth ?? '',
    serverAddress: auth.serverAddress ?? '',
    identityToken: auth.identityToken ?? '',
    registryToken: auth.registryToken ?? '',
  };
}
