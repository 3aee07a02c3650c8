import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

import { errnoOf, failedPrecondition } from '../../base/errors.js';
import { readConfigIfExists } from '../../base/files.js';
import { AUTH_FILES } from './credential-chain.js';
import { isHost } from './reference.js';
import { parseToml, Section } from './toml-section.js';

/** What containers-registries.conf(5) says of the images below a prefix. */
export interface RegistryRule {
  /** `host[:port][/path]`, `*.domain`, or one image of a repository, which can only be blocked: `host/path:tag`, `host/path@digest`. */
  readonly prefix: string;
  /** What stands in the prefix's place when pulling. */
  readonly location: string;
  /** Plain HTTP and unverified certificates are allowed. */
  readonly insecure: boolean;
  readonly blocked: boolean;
  readonly mirrors: readonly MirrorRule[];
  readonly file: string;
}

export interface MirrorRule {
  readonly location: string;
  readonly insecure: boolean;
  /** The references that it may be asked for. */
  readonly pulls: 'all' | 'digest-only' | 'tag-only';
}

export interface RegistriesConf {
  readonly rules: readonly RegistryRule[];
  /** Where images without a registry in their name are looked for, in order; empty: Docker Hub. */
  readonly search: readonly string[];
  /** Whether several places may be searched without asking somebody. */
  readonly shortNames: 'permissive' | 'enforcing' | 'disabled';
  /** Where credentials are looked for, in order; {@link AUTH_FILES} stands for the auth files. */
  readonly credentialHelpers: readonly string[];
  /** Complete names of short ones, without tag. */
  readonly aliases: ReadonlyMap<string, string>;
}

type Part = Partial<Omit<RegistriesConf, 'rules' | 'aliases'>> & Pick<RegistriesConf, 'rules' | 'aliases'>;

const RULE_KEYS = ['prefix', 'location', 'insecure', 'blocked', 'mirror-by-digest-only', 'mirror'];
const PULLS = ['all', 'digest-only', 'tag-only'] as const;
const SHORT_NAMES = ['permissive', 'enforcing', 'disabled'] as const;

/**
 * Reads the file and then `<file>.d/*.conf` in the order of their names: a later file replaces the tables of the same
 * prefix, the aliases of the same name and the other keys that it has.
 * @throws failed-precondition naming the file and the key
 */
export async function readRegistriesConf(path: string): Promise<RegistriesConf> {
  const rules = new Map<string, RegistryRule>();
  const aliases = new Map<string, string>();
  let rest: Partial<RegistriesConf> = {};
  for (const file of [path, ...(await dropIns(`${path}.d`))]) {
    const { rules: own, aliases: names, ...others } = parseRegistriesConf((await readConfigIfExists(file)) ?? '', file);
    for (const rule of own) rules.set(rule.prefix, rule);
    for (const [name, value] of names) {
      // An empty one takes back what an earlier file says.
      if (value === '') aliases.delete(name);
      else aliases.set(name, value);
    }
    rest = { ...rest, ...others };
  }
  return {
    search: [],
    shortNames: 'permissive',
    credentialHelpers: [AUTH_FILES],
    ...rest,
    rules: [...rules.values()],
    aliases,
  };
}

async function dropIns(directory: string): Promise<string[]> {
  try {
    const names = await readdir(directory);
    return names
      .filter((name) => name.endsWith('.conf'))
      .toSorted()
      .map((name) => join(directory, name));
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw failedPrecondition(`${directory} cannot be read`, error);
  }
}

/** Other programs read this file too, and newer ones: keys that are not ours are theirs. */
export function parseRegistriesConf(text: string, file: string): Part {
  const top = new Section(parseToml(text, file), file, '');
  if (top.has('registries')) throw top.error('registries', 'is the old format, version 1: use [[registry]] tables');
  const search = top.strings('unqualified-search-registries');
  const wrong = search?.find((registry) => !isHost(registry));
  if (wrong !== undefined)
    throw top.error('unqualified-search-registries', `has ${JSON.stringify(wrong)}, no registry`);
  const credentialHelpers = top.strings('credential-helpers');
  const shortNames = choice(top, 'short-name-mode', SHORT_NAMES);
  return {
    rules: firstOfEach(top.sections('registry')),
    aliases: readAliases(top),
    ...(search === undefined ? {} : { search }),
    ...(shortNames === undefined ? {} : { shortNames }),
    ...(credentialHelpers === undefined ? {} : { credentialHelpers }),
  };
}

/** Of tables with the same prefix the first one counts; but none may take back what another forbids. */
function firstOfEach(sections: readonly Section[]): RegistryRule[] {
  const rules = new Map<string, RegistryRule>();
  for (const section of sections) {
    const rule = readRule(section);
    const first = rules.get(rule.prefix) ?? rule;
    const other = (['blocked', 'insecure'] as const).find((key) => first[key] !== rule[key]);
    if (other !== undefined)
      throw section.error(other, `is not what an earlier table says of ${JSON.stringify(rule.prefix)}`);
    rules.set(rule.prefix, first);
  }
  return [...rules.values()];
}

function readRule(section: Section): RegistryRule {
  section.allow(RULE_KEYS);
  const location = readPlace(section, 'location');
  const prefix = readPlace(section, 'prefix') || location;
  const repository = prefix.includes('/') ? prefix.replace(/(?::\w[\w.-]*|@[\w.+-]+:[0-9a-f]+)$/, '') : prefix;
  if (!isPlace(repository.replace(/^\*\./, '')))
    throw section.error('prefix', `${JSON.stringify(prefix)} is no registry`);
  if (prefix.startsWith('*.') && prefix.includes('/')) throw section.error('prefix', 'with *. must have no path');
  const isOne = repository !== prefix;
  if (isOne && (!section.flag('blocked') || section.has('mirror')))
    throw section.error('prefix', 'with a tag or digest can only be blocked');
  if (location !== '' && !isOne) checkLocation(section, location);
  const digestOnly = section.flag('mirror-by-digest-only');
  return {
    prefix,
    location: location === '' && !prefix.startsWith('*.') ? prefix : location,
    insecure: section.flag('insecure'),
    blocked: section.flag('blocked'),
    mirrors: section.sections('mirror').map((mirror) => readMirror(mirror, digestOnly)),
    file: section.file,
  };
}

function readMirror(section: Section, digestOnly: boolean): MirrorRule {
  section.allow(['location', 'insecure', 'pull-from-mirror']);
  const location = readPlace(section, 'location');
  checkLocation(section, location);
  const own = choice(section, 'pull-from-mirror', PULLS);
  if (digestOnly && own !== undefined)
    throw section.error('pull-from-mirror', 'cannot stand beside mirror-by-digest-only');
  return { location, insecure: section.flag('insecure'), pulls: own ?? (digestOnly ? 'digest-only' : 'all') };
}

function readPlace(section: Section, key: string): string {
  return (section.string(key) ?? '').replace(/\/+$/, '');
}

function checkLocation(section: Section, location: string): void {
  if (!isPlace(location)) throw section.error('location', `${JSON.stringify(location)} is not host[:port][/path]`);
}

/** `host[:port][/path]`, without a scheme. */
function isPlace(text: string): boolean {
  const [host = '', ...path] = text.split('/');
  return isHost(host) && path.every((component) => /^[a-z0-9]+(?:[._-]+[a-z0-9]+)*$/.test(component));
}

function choice<const T extends string>(section: Section, key: string, choices: readonly T[]): T | undefined {
  const value = section.string(key) || undefined;
  const known = choices.find((item) => item === value);
  if (value !== undefined && known === undefined) throw section.error(key, `must be one of ${choices.join(', ')}`);
  return known;
}

function readAliases(top: Section): Map<string, string> {
  const entries = Object.entries(top.table('aliases')).map(([name, value]): [string, string] => {
    if (typeof value !== 'string') throw top.error(`aliases.${JSON.stringify(name)}`, 'must be a string');
    return [name, value];
  });
  return new Map(entries);
}

/** The rule with the longest prefix that the complete reference is below. Names of hosts mean the same in capitals. */
export function ruleFor(rules: readonly RegistryRule[], name: string): RegistryRule | undefined {
  const plain = withPlainHost(name);
  const matching = rules.filter(({ prefix }) => matches(withPlainHost(prefix), plain));
  return matching.toSorted((a, b) => b.prefix.length - a.prefix.length)[0];
}

function withPlainHost(name: string): string {
  return name.replace(/^[^/]*/, (host) => host.toLowerCase());
}

function matches(prefix: string, name: string): boolean {
  return prefix.startsWith('*.') ? isInDomain(prefix.slice(1), name) : isBelow(prefix, name);
}

/** Whatever the host's port is, unless the prefix has one. */
function isInDomain(domain: string, name: string): boolean {
  const [host = ''] = name.split('/');
  return host.endsWith(domain) || host.replace(/:\d+$/, '').endsWith(domain);
}

/** A host is not the same on another port, so only a path may be followed by a tag. */
function isBelow(prefix: string, name: string): boolean {
  const next = name.charAt(prefix.length);
  return name.startsWith(prefix) && (next === '' || next === '/' || (prefix.includes('/') && /[:@]/.test(next)));
}
