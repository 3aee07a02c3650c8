import { codeOf } from '../../base/errors.js';
import { formatReference, nameOf, parseReference, type Reference } from '../registry/reference.js';
import type { StrictObject } from './strict-json.js';

/** Which name a signature must speak of (containers-policy.json(5), "signedIdentity"). */
export type SignedIdentity =
  | { readonly type: 'matchRepoDigestOrExact' | 'matchRepository' | 'matchExact' }
  | { readonly type: 'exactReference' | 'exactRepository'; readonly name: string }
  | { readonly type: 'remapIdentity'; readonly prefix: string; readonly signedPrefix: string };

/** The default is what lets a signature hold for its own tag, and for pulls by digest from its repository. */
export function readIdentity(requirement: StrictObject): SignedIdentity {
  if (!requirement.has('signedIdentity')) return { type: 'matchRepoDigestOrExact' };
  const entry = requirement.object('signedIdentity');
  const type = entry.string('type');
  switch (type) {
    case 'matchRepoDigestOrExact':
    case 'matchRepository':
    case 'matchExact':
      entry.allow(['type']);
      return { type };
    case 'exactReference':
      entry.allow(['type', 'dockerReference']);
      return { type, name: readName(entry, 'dockerReference', true) };
    case 'exactRepository':
      entry.allow(['type', 'dockerRepository']);
      return { type, name: readName(entry, 'dockerRepository', false) };
    case 'remapIdentity':
      entry.allow(['type', 'prefix', 'signedPrefix']);
      return { type, prefix: readPrefix(entry, 'prefix'), signedPrefix: readPrefix(entry, 'signedPrefix') };
    default:
      throw entry.error('type', `${JSON.stringify(type)} is not known`);
  }
}

/** A complete reference, with tag or digest, or the name of a repository without either. */
function readName(entry: StrictObject, key: string, whole: boolean): string {
  const named = parseNamed(entry.string(key));
  if (named === undefined || named.bare === whole)
    throw entry.error(
      key,
      whole ? 'must be an image with tag or digest' : 'must be a repository without tag or digest',
    );
  return whole ? formatReference(named.reference) : nameOf(named.reference);
}

function readPrefix(entry: StrictObject, key: string): string {
  const prefix = entry.string(key);
  if (/^[^\s@/]+(?:\/[^\s@:/]+)*$/.test(prefix)) return prefix;
  throw entry.error(key, `${JSON.stringify(prefix)} is no host[:port][/path]`);
}

interface Named {
  readonly reference: Reference;
  /** It has neither tag nor digest. */
  readonly bare: boolean;
}

function parseNamed(text: string): Named | undefined {
  try {
    const reference = parseReference(text);
    const { digest, tag } = reference;
    return { reference, bare: digest === undefined && tag === 'latest' && !text.endsWith(':latest') };
  } catch (error) {
    if (codeOf(error) === 'invalid-argument') return undefined;
    throw error;
  }
}

/** True if a signature that names `signed` (`critical.identity.docker-reference`) may speak for the image asked for as `wanted`. */
export function matchesIdentity(identity: SignedIdentity, wanted: Reference, signed: string): boolean {
  const named = parseNamed(signed);
  if (named === undefined) return false;
  const repository = nameOf(named.reference);
  const exact = named.bare ? undefined : formatReference(named.reference);
  switch (identity.type) {
    case 'matchExact':
      return exact === formatReference(wanted);
    case 'matchRepository':
      return repository === nameOf(wanted);
    case 'exactReference':
      return exact === identity.name;
    case 'exactRepository':
      return repository === identity.name;
    case 'matchRepoDigestOrExact':
      return matchesDigestOrExact(nameOf(wanted), wanted, { repository, exact });
    case 'remapIdentity':
      return matchesDigestOrExact(remap(nameOf(wanted), identity), wanted, { repository, exact });
  }
}

/** Who asks by digest knows what he gets: the signature need only be of the repository, under any tag. One without tag or digest is for `matchRepository`. */
function matchesDigestOrExact(
  name: string,
  { digest, tag = 'latest' }: Reference,
  signed: { readonly repository: string; readonly exact: string | undefined },
): boolean {
  if (digest === undefined) return signed.exact === `${name}:${tag}`;
  return signed.exact !== undefined && signed.repository === name;
}

function remap(
  name: string,
  { prefix, signedPrefix }: { readonly prefix: string; readonly signedPrefix: string },
): string {
  return name === prefix || name.startsWith(`${prefix}/`) ? signedPrefix + name.slice(prefix.length) : name;
}
