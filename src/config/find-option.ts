import { distance } from 'fastest-levenshtein';

import type { Option } from './option.js';
import { HANDLER_OPTIONS, HANDLERS_KEY, OPTIONS } from './options.js';
import { isHandlerName } from './text-types.js';

/** What the table has at a path of keys: an option, a mapping of more keys, or nothing. */
export type Place =
  | { readonly kind: 'option'; readonly option: Option }
  | { readonly kind: 'section' }
  | { readonly kind: 'unknown'; readonly hint: string };

const KEYS: readonly string[] = OPTIONS.map((option) => option.key);
const SECTIONS: ReadonlySet<string> = new Set([...KEYS.filter(isNested).map(sectionOf), HANDLERS_KEY]);

/** Finds what stands at `path`; a path that means nothing gets a hint at what was meant. */
export function findOption(path: readonly string[]): Place {
  const dotted = path.find((part) => part.includes('.') || part === '');
  if (dotted !== undefined) return { kind: 'unknown', hint: nestingHint(dotted) };
  const key = path.join('.');
  if (key.startsWith(`${HANDLERS_KEY}.`)) return findHandlerOption(path);
  if (SECTIONS.has(key)) return { kind: 'section' };
  const option = OPTIONS.find((candidate) => candidate.key === key);
  return option === undefined ? unknownKey(key, [...KEYS, ...SECTIONS]) : { kind: 'option', option };
}

function findHandlerOption(path: readonly string[]): Place {
  const [name = '', key, ...deeper] = path.slice(2);
  if (!isHandlerName(name)) {
    return { kind: 'unknown', hint: 'not a handler name: lower-case letters, digits and "-", at most 63' };
  }
  if (key === undefined) return { kind: 'section' };
  const option = HANDLER_OPTIONS.find((candidate) => candidate.key === key && deeper.length === 0);
  const prefix = path.slice(0, 3).join('.');
  if (option !== undefined) return { kind: 'option', option };
  return unknownKey(
    path.join('.'),
    HANDLER_OPTIONS.map((candidate) => `${prefix}.${candidate.key}`),
  );
}

function unknownKey(key: string, candidates: readonly string[]): Place {
  const meant = candidates.find((candidate) => lastOf(candidate) === lastOf(key)) ?? closest(key, candidates);
  return { kind: 'unknown', hint: meant === undefined ? 'unknown key' : `unknown key, did you mean ${meant}?` };
}

/** The nearest candidate, if no more than a third of the key would have to change. */
function closest(key: string, candidates: readonly string[]): string | undefined {
  const ranked = candidates.map((candidate) => ({ candidate, edits: distance(key, candidate) }));
  const best = ranked.reduce((a, b) => (b.edits < a.edits ? b : a));
  return best.edits <= Math.max(1, Math.floor(key.length / 3)) ? best.candidate : undefined;
}

function nestingHint(part: string): string {
  if (!KEYS.includes(part)) return 'unknown key';
  return `unknown key: sections are nested, write "${lastOf(part)}:" under "${sectionOf(part)}:"`;
}

function isNested(key: string): boolean {
  return key.includes('.');
}

function sectionOf(key: string): string {
  return key.slice(0, key.lastIndexOf('.'));
}

function lastOf(key: string): string {
  return key.slice(key.lastIndexOf('.') + 1);
}
