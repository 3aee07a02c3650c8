import { normalize } from 'node:path';

import { nameOf, formatReference, type Reference } from '../registry/reference.js';
import { readRequirements, type Requirement } from './requirement.js';
import { parseStrictObject, type StrictObject } from './strict-json.js';

/** Which images may be stored (containers-policy.json(5)): what is required of an image by the scope that it is in. */
export interface Policy {
  readonly file: string;
  readonly default: readonly Requirement[];
  /** By transport (`docker` for registries), then by scope; the scope `""` is for the whole transport. */
  readonly transports: ReadonlyMap<string, ReadonlyMap<string, readonly Requirement[]>>;
}

/** What holds for one image, and the place in the file that says so. */
export interface Rule {
  readonly requirements: readonly Requirement[];
  /** For people: `/etc/containers/policy.json (transports.docker["quay.io"])`. */
  readonly from: string;
}

/** @throws failed-precondition naming the file and the field; an unknown key or type is an error, since it may be what restricts */
export function parsePolicy(text: string, file: string): Policy {
  const top = parseStrictObject(text, file);
  top.allow(['default', 'transports']);
  const transports = top.has('transports') ? top.object('transports') : undefined;
  return {
    file,
    default: readRequirements(top, 'default'),
    transports: new Map(transports?.keys().map((name) => [name, readScopes(transports.object(name), name)])),
  };
}

function readScopes(transport: StrictObject, name: string): Map<string, readonly Requirement[]> {
  for (const scope of transport.keys()) {
    const wrong = scope === '' ? undefined : wrongScope(name, scope);
    if (wrong !== undefined) throw transport.error(scope, wrong);
  }
  return new Map(transport.keys().map((scope) => [scope, readRequirements(transport, scope)]));
}

/** A path that no image can be below would be passed over, and with it what it forbids. */
function wrongScope(transport: string, scope: string): string | undefined {
  if (transport === 'docker-archive') return 'is no scope: docker-archive has only ""';
  if (transport !== 'oci' && transport !== 'oci-archive') return undefined;
  const isPlain = scope !== '/' && normalize(scope) === scope && scope.startsWith('/') && !scope.endsWith('/');
  return isPlain ? undefined : 'is no scope: it must be an absolute path without "..", or "" for all';
}

/** The rule of the most specific scope that the policy has for an image of a registry, by the name that it was asked for by. */
export function ruleForReference(policy: Policy, reference: Reference): Rule {
  return ruleIn(policy, 'docker', scopesOf(reference));
}

/**
 * The same for an image in a file or directory; scopes are its path and the directories above, but a docker-archive has none.
 * @param path without links
 */
export function ruleForPath(policy: Policy, transport: string, path: string): Rule {
  const parts = path.split('/').filter((part) => part !== '');
  const scopes = parts.map((_, index) => `/${parts.slice(0, parts.length - index).join('/')}`);
  return ruleIn(policy, transport, transport === 'docker-archive' ? [] : scopes);
}

function ruleIn(policy: Policy, transport: string, scopes: readonly string[]): Rule {
  const known = policy.transports.get(transport);
  for (const scope of [...scopes, '']) {
    const requirements = known?.get(scope);
    if (requirements === undefined) continue;
    return { requirements, from: `${policy.file} (transports.${transport}[${JSON.stringify(scope)}])` };
  }
  return { requirements: policy.default, from: `${policy.file} (default)` };
}

/**
 * The image itself, its repository, each namespace above, the host; then `*.` with each domain that the host is below. Names of hosts
 * mean the same in capitals.
 */
export function scopesOf(reference: Reference): string[] {
  const plain = { ...reference, registry: reference.registry.toLowerCase() };
  const scopes = scopesAsWritten(plain);
  if (plain.registry === reference.registry) return scopes;
  return scopesAsWritten(reference).flatMap((scope, index) => [scope, scopes[index] ?? '']);
}

function scopesAsWritten(reference: Reference): string[] {
  const parts = nameOf(reference).split('/');
  const paths = parts.map((_, index) => parts.slice(0, parts.length - index).join('/'));
  const labels = reference.registry.replace(/:\d+$/, '').split('.');
  const domains = labels.slice(1).map((_, index) => `*.${labels.slice(index + 1).join('.')}`);
  return [formatReference(reference), ...paths, ...domains];
}
