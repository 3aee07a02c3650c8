import { invalidArgument } from '../../base/errors.js';
import { isDigest } from './digest.js';

/** An image's name, complete: what was short or missing has been filled in. */
export interface Reference {
  /** Registry as names have it, with port: `docker.io`, `localhost:5000`. */
  readonly registry: string;
  /** Path within the registry: `library/busybox`. */
  readonly repository: string;
  readonly tag?: string;
  readonly digest?: string;
}

const COMPONENT = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const HOST =
  /^(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[0-9a-fA-F:]+\])(?::[0-9]{1,5})?$/;
const TAG = /^\w[\w.-]{0,127}$/;
const MAX_NAME = 255;

/**
 * Reads an image reference as Docker does: no registry means Docker Hub, no namespace there means `library`, neither tag nor
 * digest means `latest`.
 * @throws invalid-argument naming the reference.
 */
export function parseReference(text: string): Reference {
  const bad = (why: string): Error => invalidArgument(`image reference ${JSON.stringify(text)}: ${why}`);
  const { name, tag, digest } = split(text);
  if (name === '') throw bad('has no name');
  if (digest !== undefined && !isDigest(digest)) throw bad(`${JSON.stringify(digest)} is not a digest`);
  if (tag !== undefined && !TAG.test(tag)) throw bad(`${JSON.stringify(tag)} is not a tag`);
  if (/^[0-9a-f]{64}$/.test(name)) throw bad('a name of 64 hexadecimal digits cannot be told from an id');
  const { registry, repository } = locate(name);
  if (text.includes('://')) throw bad('begins with a scheme, which is no part of a name');
  if (!isHost(registry)) throw bad(`${JSON.stringify(registry)} is not a registry`);
  if (registry.length + repository.length >= MAX_NAME) throw bad(`is longer than ${MAX_NAME} characters`);
  const wrong = repository.split('/').find((component) => !COMPONENT.test(component));
  if (wrong !== undefined) throw bad(`${JSON.stringify(wrong)} may not be part of a repository's name`);
  return {
    registry,
    repository,
    ...(digest === undefined && tag === undefined ? { tag: 'latest' } : {}),
    ...(tag === undefined ? {} : { tag }),
    ...(digest === undefined ? {} : { digest }),
  };
}

/**
 * True for `host[:port]` that can be asked, and that means what it says: `127.1` and `0x7f.1` would be other addresses, which what is
 * said of those does not speak of.
 */
export function isHost(text: string): boolean {
  if (!HOST.test(text) || !URL.canParse(`https://${text}`)) return false;
  const { hostname } = new URL(`https://${text}`);
  return text.startsWith('[') || hostname === text.replace(/:\d+$/, '').toLowerCase();
}

function split(text: string): { name: string; tag?: string; digest?: string } {
  const at = text.indexOf('@');
  const beforeDigest = at < 0 ? text : text.slice(0, at);
  const colon = beforeDigest.lastIndexOf(':');
  const hasTag = colon > beforeDigest.lastIndexOf('/');
  return {
    name: hasTag ? beforeDigest.slice(0, colon) : beforeDigest,
    ...(hasTag ? { tag: beforeDigest.slice(colon + 1) } : {}),
    ...(at < 0 ? {} : { digest: text.slice(at + 1) }),
  };
}

/** True for a valid reference that names no registry. */
export function isShortName(text: string): boolean {
  return hostIn(split(text).name) === undefined;
}

/** The first component is a registry if it could not be part of a repository's name on Docker Hub. */
function hostIn(name: string): string | undefined {
  const slash = name.indexOf('/');
  const first = slash < 0 ? '' : name.slice(0, slash);
  const isHost = /[.:[]/.test(first) || first === 'localhost' || first !== first.toLowerCase();
  return isHost ? first : undefined;
}

function locate(name: string): { registry: string; repository: string } {
  const first = hostIn(name);
  const registry = first === undefined || first === 'index.docker.io' ? 'docker.io' : first;
  const rest = first === undefined ? name : name.slice(first.length + 1);
  return { registry, repository: registry === 'docker.io' && !rest.includes('/') ? `library/${rest}` : rest };
}

/** Registry and repository: what tags and digests are appended to. */
export function nameOf(reference: Reference): string {
  return `${reference.registry}/${reference.repository}`;
}

/** The complete reference; as for containerd, a digest makes the tag beside it meaningless, so it is left out. */
export function formatReference(reference: Reference): string {
  const { tag, digest } = reference;
  return digest === undefined ? `${nameOf(reference)}:${tag ?? 'latest'}` : `${nameOf(reference)}@${digest}`;
}
