import { failedPrecondition } from '../../base/errors.js';
import { readConfigIfExists } from '../../base/files.js';
import { askHelper } from './credential-helper.js';
import { decodeBasic, readAuthConfig, registryOfAddress, type Credentials } from './credentials.js';
import { isObject, parseObject, type JsonObject } from './json.js';

export interface AuthFileContent {
  readonly entries: ReadonlyMap<string, Credentials>;
  /** Credential helpers by registry. */
  readonly helpers: ReadonlyMap<string, string>;
  /** The helper for all other registries. */
  readonly store: string;
}

/** Credentials, and where the file has them. */
export interface FoundCredentials {
  readonly credentials: Credentials;
  /** For people: names the file's entry or the helper, never what is in it. */
  readonly from: string;
}

/** Credentials by registry, in the form of Docker's config.json and containers' auth.json. */
export class AuthFile {
  readonly #content: AuthFileContent;

  readonly #path: string;

  constructor(content: AuthFileContent, path: string) {
    this.#content = content;
    this.#path = path;
  }

  /**
   * What the registry's own helper says; without one, the entry with the longest key that the repository is in,
   * `registry/path`, then `registry`; without that, what the helper for all says.
   */
  async find(registry: string, repository: string): Promise<FoundCredentials | undefined> {
    const { helpers, store } = this.#content;
    const own = helpers.get(registry);
    if (own !== undefined) return ask(own, registry);
    return this.#entryFor(registry, repository) ?? (store === '' ? undefined : ask(store, registry));
  }

  #entryFor(registry: string, repository: string): FoundCredentials | undefined {
    const parts = [registry, ...repository.split('/')];
    for (let length = parts.length; length > 0; length--) {
      const key = parts.slice(0, length).join('/');
      const credentials = this.#content.entries.get(key);
      if (credentials !== undefined) return { credentials, from: `the entry ${key} of ${this.#path}` };
    }
    return undefined;
  }
}

async function ask(helper: string, registry: string): Promise<FoundCredentials | undefined> {
  const credentials = await askHelper(helper, registry);
  return credentials === undefined ? undefined : { credentials, from: `docker-credential-${helper}` };
}

/** @throws failed-precondition naming the file if it is malformed; a missing file has no credentials. */
export async function readAuthFile(path: string): Promise<AuthFile> {
  const text = await readConfigIfExists(path);
  if (text === undefined) return new AuthFile({ entries: new Map(), helpers: new Map(), store: '' }, path);
  try {
    return parseAuthFile(text, path);
  } catch (error) {
    throw failedPrecondition(`the credentials in ${path} cannot be read`, error);
  }
}

export function parseAuthFile(text: string, path: string): AuthFile {
  const { auths, credHelpers, credsStore } = parseObject(text, path);
  const entries = new Map<string, Credentials>();
  for (const [key, value] of Object.entries(objectAt(auths, 'auths'))) {
    const credentials = readEntry(value, `auths.${JSON.stringify(key)}`);
    if (credentials !== undefined) entries.set(normalKey(key), credentials);
  }
  const helpers = Object.entries(objectAt(credHelpers, 'credHelpers')).map(
    ([key, helper]) => [registryOfAddress(key), textAt(helper, `credHelpers.${JSON.stringify(key)}`)] as const,
  );
  return new AuthFile({ entries, helpers: new Map(helpers), store: textAt(credsStore, 'credsStore') }, path);
}

/** The forms that an entry may have are those of CRI's AuthConfig. */
function readEntry(value: unknown, where: string): Credentials | undefined {
  const entry = objectAt(value, where);
  const [identityToken, registryToken, auth, username, password] = [
    'identitytoken',
    'registrytoken',
    'auth',
    'username',
    'password',
  ].map((name) => textAt(entry[name], `${where}.${name}`));
  // What Docker's tools write in `auth` is what counts for them.
  if (auth && !identityToken && !registryToken) return decodeBasic(auth, `${where}.auth`);
  const credentials = readAuthConfig({ identityToken, registryToken, username, password });
  return credentials.kind === 'anonymous' ? undefined : credentials;
}

/** Null is what is not there. */
function objectAt(value: unknown, where: string): JsonObject {
  if (isObject(value ?? {})) return (value ?? {}) as JsonObject;
  throw failedPrecondition(`${where} must be an object`);
}

/** What is wrong with it is said without it: it may be a secret. */
function textAt(value: unknown, where: string): string {
  const text = value ?? '';
  if (typeof text === 'string') return text;
  throw failedPrecondition(`${where} must be a text`);
}

/** Docker writes Hub's key as a URL with a version; containers' keys are names, maybe with a path. */
function normalKey(key: string): string {
  const bare = key.replace(/^https?:\/\//, '').replace(/\/+$/, '');
  const [, ...path] = bare.replace(/\/v[12]$/, '').split('/');
  return [registryOfAddress(bare), ...path].join('/');
}
