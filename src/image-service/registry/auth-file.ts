import { failedPrecondition } from '../../base/errors.js';
import { readConfigIfExists } from '../../base/files.js';
import { askHelper } from './credential-helper.js';
import { decodeBasic, readAuthConfig, registryOfAddress, type Credentials } from './credentials.js';
import { isObject, parseObject, type JsonObject } from './json.js';

/** A member of the file, and what messages call it. Read only when its registry is asked for: others may be none of ours. */
interface Member {
  readonly value: unknown;
  readonly where: string;
}

interface AuthFileContent {
  /** By registry, or registry and path; for one written in several ways, the last first. */
  readonly entries: ReadonlyMap<string, readonly Member[]>;
  /** Credential helpers by registry. */
  readonly helpers: ReadonlyMap<string, Member>;
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
   * @throws failed-precondition naming the file if what it says of the repository is malformed
   */
  async find(registry: string, repository: string): Promise<FoundCredentials | undefined> {
    const { helpers, store } = this.#content;
    const own = helpers.get(registry);
    if (own !== undefined)
      return ask(
        inFile(this.#path, () => textAt(own.value, own.where)),
        registry,
      );
    const entry = inFile(this.#path, () => this.#entryFor(registry, repository));
    return entry ?? (store === '' ? undefined : ask(store, registry));
  }

  #entryFor(registry: string, repository: string): FoundCredentials | undefined {
    const parts = [registry, ...repository.split('/')];
    for (let length = parts.length; length > 0; length--) {
      const key = parts.slice(0, length).join('/');
      for (const member of this.#content.entries.get(key) ?? []) {
        const credentials = readEntry(member);
        if (credentials !== undefined) return { credentials, from: `the entry ${key} of ${this.#path}` };
      }
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
  return parseAuthFile((await readConfigIfExists(path)) ?? '{}', path);
}

/** @throws failed-precondition naming the file if it is malformed */
export function parseAuthFile(text: string, path: string): AuthFile {
  return inFile(path, () => {
    const { auths, credHelpers, credsStore } = parseObject(text, path);
    const helpers = membersOf(credHelpers, 'credHelpers').map(
      ([key, member]) => [registryOfAddress(key), member] as const,
    );
    const store = textAt(credsStore, 'credsStore');
    return new AuthFile({ entries: entriesOf(auths), helpers: new Map(helpers), store }, path);
  });
}

function inFile<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw failedPrecondition(`the credentials in ${path} cannot be read`, error);
  }
}

function entriesOf(auths: unknown): Map<string, Member[]> {
  const entries = new Map<string, Member[]>();
  for (const [key, member] of membersOf(auths, 'auths').reverse()) {
    const normal = normalKey(key);
    entries.set(normal, [...(entries.get(normal) ?? []), member]);
  }
  return entries;
}

function membersOf(value: unknown, where: string): [string, Member][] {
  return Object.entries(objectAt(value, where)).map(([key, member]) => [
    key,
    { value: member, where: `${where}.${JSON.stringify(key)}` },
  ]);
}

/** The forms that an entry may have are those of CRI's AuthConfig. */
function readEntry({ value, where }: Member): Credentials | undefined {
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
