import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

import { parse } from 'smol-toml';

import { failedPrecondition } from '../../base/errors.js';
import { hostOf, type Endpoint, type TlsSettings } from './endpoint.js';
import { isObject, type JsonObject } from './json.js';

export interface HostsFile {
  readonly text: string;
  readonly file: string;
  readonly registry: string;
}

const HOST_KEYS = ['capabilities', 'ca', 'client', 'skip_verify', 'override_path', 'header', 'dial_timeout'];
const CAPABILITIES = ['pull', 'resolve', 'push'];

/** Where in a file something is wrong; becomes the error's message. */
class Section {
  readonly #table: JsonObject;
  readonly #where: string;
  readonly file: string;

  constructor(table: JsonObject, file: string, where: string) {
    this.#table = table;
    this.file = file;
    this.#where = where;
  }

  /** Unknown keys are errors: a misspelt `ca` would otherwise show as a broken network. */
  allow(keys: readonly string[]): void {
    const unknown = Object.keys(this.#table).find((key) => !keys.includes(key));
    if (unknown !== undefined) throw this.error(unknown, 'is not known');
  }

  has(key: string): boolean {
    return this.#table[key] !== undefined;
  }

  string(key: string): string | undefined {
    const value = this.#table[key];
    if (value === undefined || typeof value === 'string') return value;
    throw this.error(key, 'must be a string');
  }

  flag(key: string): boolean {
    const value = this.#table[key] ?? false;
    if (typeof value === 'boolean') return value;
    throw this.error(key, 'must be true or false');
  }

  /** One value or a list of values. */
  list(key: string): unknown[] {
    const value = this.#table[key];
    if (value === undefined) return [];
    return Array.isArray(value) ? value : [value];
  }

  table(key: string): JsonObject {
    const value = this.#table[key] ?? {};
    if (isObject(value)) return value;
    throw this.error(key, 'must be a table');
  }

  error(key: string, why: string): Error {
    return failedPrecondition(`${this.file}: ${this.#where}${key} ${why}`);
  }
}

/**
 * Reads a `hosts.toml`: the mirrors in the file's order, then the server.
 * @throws failed-precondition naming the file and the key
 */
export async function parseHostsFile({ text, file, registry }: HostsFile): Promise<Endpoint[]> {
  const top = new Section(parseToml(text, file), file, '');
  top.allow(['server', 'host', ...HOST_KEYS]);
  const mirrors = Object.entries(top.table('host')).map(([url, table]) => {
    if (!isObject(table)) throw top.error(`host.${JSON.stringify(url)}`, 'must be a table');
    const section = new Section(table, file, `host.${JSON.stringify(url)}.`);
    section.allow(HOST_KEYS);
    return readEndpoint(section, url, 'mirror');
  });
  const server = top.string('server') ?? `https://${hostOf(registry)}`;
  const all = await Promise.all([...mirrors, readEndpoint(top, server, 'upstream')]);
  // A mirror that is the registry itself, only told how to reach it, is still the registry.
  return all.map((endpoint) =>
    isRegistry(endpoint, registry) ? { ...endpoint, role: 'upstream' as const } : endpoint,
  );
}

function isRegistry(endpoint: Endpoint, registry: string): boolean {
  const { host, protocol } = new URL(endpoint.base);
  const { host: own } = new URL(`${protocol}//${hostOf(registry)}`);
  return host === own;
}

function parseToml(text: string, file: string): JsonObject {
  try {
    return parse(text);
  } catch (error) {
    throw failedPrecondition(`${file} is not valid TOML`, error);
  }
}

async function readEndpoint(section: Section, url: string, role: Endpoint['role']): Promise<Endpoint> {
  const capabilities = readCapabilities(section);
  return {
    base: readBase(section, url),
    role,
    resolve: capabilities.includes('resolve'),
    pull: capabilities.includes('pull'),
    tls: await readTls(section),
    headers: readHeaders(section),
  };
}

/** `override_path` says that the URL's path is the whole of it, without `/v2`. */
function readBase(section: Section, text: string): string {
  const withScheme = text.includes('://') ? text : `https://${text}`;
  const url = URL.canParse(withScheme) ? new URL(withScheme) : undefined;
  const usable = url !== undefined && /^https?:$/.test(url.protocol) && url.username === '' && url.search === '';
  if (!usable) throw section.error(JSON.stringify(text), 'is not a URL of a registry');
  const path = url.pathname.replace(/\/+$/, '');
  const complete = section.flag('override_path') || path.endsWith('/v2');
  return `${url.origin}${path}${complete ? '' : '/v2'}`;
}

function readCapabilities(section: Section): unknown[] {
  const found = section.has('capabilities') ? section.list('capabilities') : CAPABILITIES;
  const unknown = found.find((item) => !CAPABILITIES.includes(String(item)));
  if (unknown !== undefined) throw section.error('capabilities', `has the unknown value ${JSON.stringify(unknown)}`);
  return found;
}

async function readTls(section: Section): Promise<TlsSettings> {
  const ca = await Promise.all(section.list('ca').map((file) => readPem(section, 'ca', file)));
  const client = await Promise.all(section.list('client').map((pair) => readClient(section, pair)));
  return { skipVerify: section.flag('skip_verify'), ca, client };
}

/** A file with both, or a list of a certificate's and a key's file. */
async function readClient(section: Section, pair: unknown): Promise<{ cert: string; key: string }> {
  const [certFile, keyFile] = Array.isArray(pair) ? (pair as unknown[]) : [pair];
  const cert = await readPem(section, 'client', certFile);
  const separate = keyFile !== undefined && keyFile !== '';
  return { cert, key: separate ? await readPem(section, 'client', keyFile) : cert };
}

async function readPem(section: Section, key: string, file: unknown): Promise<string> {
  if (typeof file !== 'string') throw section.error(key, 'must name files');
  const path = resolve(dirname(section.file), file);
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw failedPrecondition(`${section.file}: ${key} ${path} cannot be read`, error);
  }
}

function readHeaders(section: Section): Record<string, string> {
  const entries = Object.entries(section.table('header')).map(([name, value]): [string, string] => {
    const values: unknown[] = Array.isArray(value) ? value : [value];
    if (!values.every((item) => typeof item === 'string')) throw section.error(`header.${name}`, 'must be strings');
    return [name.toLowerCase(), values.join(', ')];
  });
  return Object.fromEntries(entries);
}
