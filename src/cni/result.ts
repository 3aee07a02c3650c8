import { isIP } from 'node:net';

import { invalidArgument } from '../base/errors.js';
import { objectList, optionalString, optionalUint, stringList, type JsonObject } from './json.js';
import { atLeast, CNI_VERSIONS, type CniVersion } from './version.js';

export interface CniInterface {
  readonly name: string;
  readonly mac?: string | undefined;
  readonly mtu?: number | undefined;
  /** The network namespace's path; undefined for interfaces of the host. */
  readonly sandbox?: string | undefined;
}

export interface CniIp {
  /** The address without its prefix. */
  readonly ip: string;
  readonly prefix: number;
  readonly gateway?: string | undefined;
  /** The interface that has it; undefined where the plugin names none that exists. */
  readonly interface?: CniInterface | undefined;
}

export interface CniDns {
  readonly nameservers: readonly string[];
  readonly search: readonly string[];
  readonly options: readonly string[];
  readonly domain?: string | undefined;
}

/** A checked ADD result: one shape for all versions of the specification. */
export interface CniResult {
  readonly interfaces: readonly CniInterface[];
  readonly ips: readonly CniIp[];
  readonly dns: CniDns;
}

/**
 * Checks a plugin's ADD result (section 5), which may say anything.
 * @throws invalid-argument naming the field that is wrong.
 */
export function parseResult(raw: JsonObject): CniResult {
  const interfaces = objectList(raw['interfaces'], 'interfaces').map(parseInterface);
  const ips = objectList(raw['ips'], 'ips').map((ip, index) => parseIp(ip, index, interfaces));
  for (const [index, route] of objectList(raw['routes'], 'routes').entries()) checkRoute(route, index);
  return { interfaces, ips, dns: parseDns(raw['dns']) };
}

/**
 * The result in the form of one version: before 1.0.0 each address says its family. What else a plugin wrote is kept,
 * since later plugins of the chain may read it.
 * @throws invalid-argument if the result has a version that is not spoken here.
 */
export function resultAs(raw: JsonObject, version: CniVersion): JsonObject {
  const own = optionalString(raw['cniVersion'], 'cniVersion') ?? version;
  if (!CNI_VERSIONS.some((known) => known === own)) throw invalidArgument(`cniVersion ${own} is not supported`);
  const ips = objectList(raw['ips'], 'ips');
  const withFamily = !atLeast(version, '1.0.0');
  return {
    ...raw,
    cniVersion: version,
    ...(ips.length === 0 ? {} : { ips: ips.map((ip) => setFamily(ip, withFamily)) }),
  };
}

/**
 * The pod's addresses in the plugin's order, the first being the primary one: those of the interface that it was attached
 * by (CNI_IFNAME), which are also those that name none. Where there are none, as of a plugin that names interfaces its own
 * way, those of other interfaces of the pod.
 */
export function podIps({ ips }: CniResult, ifname: string): string[] {
  const named = ips.filter(({ interface: at }) => at?.name === ifname);
  const inPod = named.filter(({ interface: at }) => at?.sandbox !== undefined);
  // The host may have an interface of that name as well.
  const attached = new Set(inPod.length > 0 ? inPod : named);
  const own = ips.filter((one) => one.interface === undefined || attached.has(one));
  const chosen = own.length > 0 ? own : ips.filter(({ interface: at }) => at?.sandbox !== undefined);
  return [...new Set(chosen.map(({ ip }) => ip))];
}

function setFamily(ip: JsonObject, withFamily: boolean): JsonObject {
  const rest = Object.fromEntries(Object.entries(ip).filter(([key]) => key !== 'version'));
  return withFamily ? { version: String(ip['address']).includes(':') ? '6' : '4', ...rest } : rest;
}

function parseInterface(value: JsonObject, index: number): CniInterface {
  const what = `interfaces[${index}]`;
  return {
    name: optionalString(value['name'], `${what}.name`) ?? '',
    mac: optionalString(value['mac'], `${what}.mac`),
    mtu: optionalUint(value['mtu'], `${what}.mtu`),
    sandbox: optionalString(value['sandbox'], `${what}.sandbox`),
  };
}

function parseIp(value: JsonObject, index: number, interfaces: readonly CniInterface[]): CniIp {
  const what = `ips[${index}]`;
  const gateway = optionalString(value['gateway'], `${what}.gateway`);
  if (gateway !== undefined && isIP(gateway) === 0) throw invalidArgument(`${what}.gateway is not an address`);
  const at = optionalInterface(value['interface'], `${what}.interface`);
  return {
    ...parseCidr(value['address'], `${what}.address`),
    gateway,
    interface: at === undefined ? at : interfaces[at],
  };
}

/** Some plugins write -1 for "none of them". */
function optionalInterface(value: unknown, what: string): number | undefined {
  return value === -1 ? undefined : optionalUint(value, what);
}

function parseCidr(value: unknown, what: string): { ip: string; prefix: number } {
  const [, ip = '', bits = ''] = typeof value === 'string' ? (/^([^/%]+)\/(\d{1,3})$/.exec(value) ?? []) : [];
  const family = isIP(ip);
  const prefix = Number(bits);
  if (family === 0 || prefix > (family === 4 ? 32 : 128)) {
    throw invalidArgument(`${what} ${JSON.stringify(value)} is not an address with a prefix`);
  }
  return { ip, prefix };
}

function checkRoute(route: JsonObject, index: number): void {
  parseCidr(route['dst'], `routes[${index}].dst`);
  const gw = optionalString(route['gw'], `routes[${index}].gw`);
  if (gw !== undefined && isIP(gw) === 0) throw invalidArgument(`routes[${index}].gw is not an address`);
}

function parseDns(value: unknown): CniDns {
  const [dns = {}] = objectList(value === undefined || value === null ? [] : [value], 'dns');
  return {
    nameservers: stringList(dns['nameservers'], 'dns.nameservers'),
    search: stringList(dns['search'], 'dns.search'),
    options: stringList(dns['options'], 'dns.options'),
    domain: optionalString(dns['domain'], 'dns.domain'),
  };
}
