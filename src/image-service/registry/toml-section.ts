import { parse } from 'smol-toml';

import { failedPrecondition } from '../../base/errors.js';
import { isObject, type JsonObject } from './json.js';

/** @throws failed-precondition naming the file */
export function parseToml(text: string, file: string): JsonObject {
  try {
    return parse(text);
  } catch (error) {
    throw failedPrecondition(`${file} is not valid TOML`, error);
  }
}

/** A table of a file, whose errors say where in the file something is wrong. */
export class Section {
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

  /** A list of strings, undefined if the key is not there. */
  strings(key: string): string[] | undefined {
    const value = this.#table[key];
    if (value === undefined) return undefined;
    if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value;
    throw this.error(key, 'must be a list of strings');
  }

  table(key: string): JsonObject {
    const value = this.#table[key] ?? {};
    if (isObject(value)) return value;
    throw this.error(key, 'must be a table');
  }

  /** The tables of `[[key]]`. */
  sections(key: string): Section[] {
    return this.list(key).map((value, index) => {
      if (!isObject(value)) throw this.error(key, 'must be a list of tables');
      return new Section(value, this.file, `${this.#where}${key}[${index}].`);
    });
  }

  error(key: string, why: string): Error {
    return failedPrecondition(`${this.file}: ${this.#where}${key} ${why}`);
  }
}
