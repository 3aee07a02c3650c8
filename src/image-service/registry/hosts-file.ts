import { dirname, resolve } from 'node:path';

import { readText } from '../../base/files.js';
import { failedPrecondition } from '../../base/errors.js';
import { hostOf, withPlain, type Endpoint, type TlsSettings } from './endpoint.js';
import { isObject } from './json.js';
import { parseToml, Section } from './toml-section.js';

export interface HostsFile {
  readonly text: string;
  readonly file: string;
  readonly registry: string;
}

const HOST_KEYS = ['capabilities', 'ca', 'client', 'skip_verify', 'override_path', 'header', 'dial_timeout'];
const CAPABILITIES = ['pull', 'resolve', 'push', 'referrers'];

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
    return { section, url };
  });
  const server = top.string('server') ?? '';
  const [upstream, ...others] = await Promise.all([
    readEndpoint(top, server || `https://${hostOf(registry)}`, 'upstream'),
    ...mirrors.map(({ section, url }) => readEndpoint(section, url, 'mirror')),
  ]);
  const all = [...others, ...(server === '' ? withPlain(upstream, registry) : [upstream])];
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

async function readEndpoint(section: Section, url: string, role: Endpoint['role']): Promise<Endpoint> {
  const capabilities = readCapabilities(section);
  return {
    base: readBase(section, url),
    role,
    resolve: capabilities.includes('resolve'),
    pull: capabilities.includes('pull'),
    tls: await readTls(section),
    headers: readHeaders(section),
    ...readDialTimeout(section),
    why: section.file,
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
    return await readText(path);
  } catch (error) {
    throw failedPrecondition(`${section.file}: ${key} ${path} cannot be read`, error);
  }
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** A duration as Go writes it: `500ms`, `1m30s`. */
function readDialTimeout(section: Section): { dialTimeoutMs?: number } {
  const text = section.string('dial_timeout');
  if (text === undefined) return {};
  if (!/^(?:\d+(?:\.\d+)?(?:ms|s|m|h))+$/.test(text)) throw section.error('dial_timeout', 'is no duration like "5s"');
  const parts = [...text.matchAll(/([\d.]+)([a-z]+)/g)];
  const ms = parts.reduce((sum, [, count, unit = '']) => sum + Number(count) * (UNITS[unit] ?? 0), 0);
  return ms > 0 ? { dialTimeoutMs: Math.ceil(ms) } : {};
}

function readHeaders(section: Section): Record<string, string> {
  const entries = Object.entries(section.table('header')).map(([name, value]): [string, string] => {
    const values: unknown[] = Array.isArray(value) ? value : [value];
    if (!values.every((item) => typeof item === 'string')) throw section.error(`header.${name}`, 'must be strings');
    return [name.toLowerCase(), values.join(', ')];
  });
  return Object.fromEntries(entries);
}
