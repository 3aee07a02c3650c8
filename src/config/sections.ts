import type { Option } from './option.js';
import { OPTIONS } from './options.js';

/** The options that stand under one key of the file; those of the top level have an empty name. */
export interface Section {
  readonly name: string;
  readonly options: readonly Option[];
}

/** The table's sections in its order. */
export function sectionsOf(): readonly Section[] {
  const names = new Set(OPTIONS.map(({ key }) => sectionName(key)));
  return [...names].map((name) => ({ name, options: OPTIONS.filter(({ key }) => sectionName(key) === name) }));
}

/** The last part of an option's key, as it is written in the file. */
export function shortName(key: string): string {
  return key.slice(key.lastIndexOf('.') + 1);
}

function sectionName(key: string): string {
  return key.includes('.') ? key.slice(0, key.indexOf('.')) : '';
}
