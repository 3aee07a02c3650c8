import { readAuthFile, type FoundCredentials } from './auth-file.js';
import { askHelper } from './credential-helper.js';

/** What knows credentials by registry and repository. */
export interface CredentialStore {
  find(registry: string, repository: string): Promise<FoundCredentials | undefined>;
}

/** The name that stands for the auth files among the helpers of registries.conf. */
export const AUTH_FILES = 'containers-auth.json';

export interface ChainOptions {
  /** Looked into one after the other; those that do not exist have nothing. */
  readonly authFiles: readonly string[];
  /** `credential-helpers` of registries.conf: asked in their order. */
  readonly helpers: readonly string[];
  /** Asked before all others. */
  readonly first?: CredentialStore | undefined;
}

/** Puts all sources of credentials on a node in a row; the first that knows some counts. */
export async function credentialChain({ authFiles, helpers, first }: ChainOptions): Promise<CredentialStore> {
  const files = helpers.includes(AUTH_FILES) ? await Promise.all(authFiles.map(readAuthFile)) : [];
  const stores = [
    ...(first === undefined ? [] : [first]),
    ...helpers.flatMap((helper): readonly CredentialStore[] => (helper === AUTH_FILES ? files : [helperStore(helper)])),
  ];
  return {
    async find(registry, repository) {
      for (const store of stores) {
        const found = await store.find(registry, repository);
        if (found !== undefined) return found;
      }
      return undefined;
    },
  };
}

function helperStore(helper: string): CredentialStore {
  return {
    async find(registry) {
      const credentials = await askHelper(helper, registry);
      const from = `docker-credential-${helper}, a helper of registries.conf`;
      return credentials === undefined ? undefined : { credentials, from };
    },
  };
}
