import { BlockList, isIP } from 'node:net';

import { failedPrecondition } from '../../base/errors.js';

export type Environment = Readonly<Record<string, string | undefined>>;

const VARIABLES = ['http_proxy', 'https_proxy', 'no_proxy'];

/**
 * The proxies that the environment names, by Go's rules, which nodes' administrators know: HTTP_PROXY and HTTPS_PROXY by the
 * scheme of the request, and NO_PROXY with names, domains, addresses and networks. Loopback is never asked through a proxy.
 */
export class Proxies {
  /** The variables that it was made of. */
  readonly environment: Environment;
  readonly #http: URL | undefined;
  readonly #https: URL | undefined;
  readonly #exceptions: readonly string[];

  /** @throws failed-precondition naming a variable that holds no proxy, without its value: it may have a password */
  constructor(environment: Environment) {
    this.environment = Object.fromEntries(VARIABLES.map((name) => [name, read(environment, name)]));
    this.#http = proxyOf(environment, 'http_proxy');
    this.#https = proxyOf(environment, 'https_proxy');
    const exceptions = (read(environment, 'no_proxy') ?? '').split(',').map((entry) => entry.trim().toLowerCase());
    this.#exceptions = exceptions.filter((entry) => entry !== '');
  }

  /** The proxy for an address, undefined if it is asked directly. */
  for(url: URL): URL | undefined {
    const proxy = url.protocol === 'https:' ? this.#https : this.#http;
    if (proxy === undefined) return undefined;
    const host = url.hostname.replace(/^\[|\]$/g, '').toLowerCase();
    const port = url.port || (url.protocol === 'https:' ? '443' : '80');
    return isLoopback(host) || this.#exceptions.some((entry) => matches(entry, host, port)) ? undefined : proxy;
  }
}

function read(environment: Environment, name: string): string | undefined {
  return environment[name.toUpperCase()] ?? environment[name];
}

function proxyOf(environment: Environment, name: string): URL | undefined {
  const text = read(environment, name) ?? '';
  if (text === '') return undefined;
  const withScheme = text.includes('://') ? text : `http://${text}`;
  const url = URL.canParse(withScheme) ? new URL(withScheme) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol))
    throw failedPrecondition(`the environment's ${name.toUpperCase()} is not the URL of an HTTP proxy`);
  return url;
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

/** `*`, `host[:port]` with all below it, `.domain` or `*.domain` with what is below it only, an address, or a network. */
function matches(entry: string, host: string, port: string): boolean {
  if (entry === '*') return true;
  if (entry.includes('/')) return isInNetwork(entry, host);
  if (isIP(entry) === 6) return entry === host;
  const [, name = '', only] = /^(.*?)(?::(\d+))?$/.exec(entry) ?? [];
  if (only !== undefined && only !== port) return false;
  const domain = name.replace(/^\*/, '');
  return domain.startsWith('.') ? host.endsWith(domain) : host === domain || host.endsWith(`.${domain}`);
}

function isInNetwork(entry: string, host: string): boolean {
  const [network = '', bits = ''] = entry.split('/');
  const family = isIP(network) === 6 ? 'ipv6' : 'ipv4';
  if (isIP(network) === 0 || isIP(host) !== isIP(network) || !/^\d{1,3}$/.test(bits)) return false;
  if (Number(bits) > (family === 'ipv6' ? 128 : 32)) return false;
  const list = new BlockList();
  list.addSubnet(network, Number(bits), family);
  return list.check(host, family);
}
