import { failedPrecondition } from '../../base/errors.js';
import { readIfExists } from '../../base/files.js';
import { decodeBasic, registryOfAddress, type Credentials } from './credentials.js';
import { isObject, parseObject, stringOf, type JsonObject } from './json.js';

/** Credentials by registry, in the form of Docker's config.json and containers' auth.json. */
export class AuthFile {
  readonly #entries: ReadonlyMap<string, Credentials>;

  constructor(entries: ReadonlyMap<string, Credentials>) {
    this.#entries = entries;
  }

  /** The entry with the longest key that the repository is in: `registry/path`, then `registry`. */
  find(registry: string, repository: string): Credentials | undefined {
    const parts = [registry, ...repository.split('/')];
    for (let length = parts.length; length > 0; length--) {
      const found = this.#entries.get(parts.slice(0, length).join('/'));
      if (found !== undefined) return found;
    }
    return undefined;
  }
}

/** @throws failed-precondition naming the file if it is malformed; a missing file has no credentials. */
export async function readAuthFile(path: string): Promise<AuthFile> {
  const text = await readIfExists(path);
  if (text === undefined) return new AuthFile(new Map());
  try {
    return parseAuthFile(text, path);
  } catch (error) {
    throw failedPrecondition(`the credentials in ${path} cannot be read`, error);
  }
}

export function parseAuthFile(text: string, path: string): AuthFile {
  const { auths } = parseObject(text, path);
  const entries = new Map<string, Credentials>();
  for (const [key, value] of Object.entries(isObject(auths) ? auths : {})) {
    const credentials = isObject(value) ? readEntry(value, key) : undefined;
    if (credentials !== undefined) entries.set(normalKey(key), credentials);
  }
  return new AuthFile(entries);
}

function readEntry(entry: JsonObject, key: string): Credentials | undefined {
  const [identity, registry, auth] = ['identitytoken', 'registrytoken', 'auth'].map((name) => stringOf(entry[name]));
  if (identity) return { kind: 'identity', token: identity };
  if (registry) return { kind: 'registry', token: registry };
  return auth ? decodeBasic(auth, `auths.${JSON.stringify(key)}.auth`) : undefined;
}

/** Docker writes Hub's key as a URL with a version; containers' keys are names, maybe with a path. */
function normalKey(key: string): string {
  const bare = key.replace(/^https?:\/\//, '').replace(/\/+$/, '');
  const [, ...path] = bare.replace(/\/v[12]$/, '').split('/');
  return [registryOfAddress(bare), ...path].join('/');
}
