import { failedPrecondition } from '../../base/errors.js';
import { isObject, type JsonObject } from '../registry/json.js';

/**
 * Reads a JSON object in which every key counts: a key that stands twice is an error, as it could hide what the reader of the
 * file sees.
 * @throws failed-precondition naming the file
 */
export function parseStrictObject(text: string, file: string): StrictObject {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw failedPrecondition(`${file} is not JSON`, error);
  }
  const twice = findDuplicateKey(text);
  if (twice !== undefined) throw failedPrecondition(`${file} has the key ${JSON.stringify(twice)} twice in one object`);
  return strictObject(value, file, '');
}

/** The first key that stands twice in one object of a text which is valid JSON. */
export function findDuplicateKey(text: string): string | undefined {
  const open: Set<string>[] = [];
  for (const [token, key] of text.matchAll(/("(?:[^"\\]|\\.)*")\s*:|"(?:[^"\\]|\\.)*"|[{}]/g)) {
    if (token === '{') open.push(new Set());
    else if (token === '}') open.pop();
    else if (key !== undefined) {
      const name = JSON.parse(key) as string;
      if (open.at(-1)?.has(name)) return name;
      open.at(-1)?.add(name);
    }
  }
  return undefined;
}

/** An object of a file, whose errors say where in the file something is wrong. */
export class StrictObject {
  readonly #value: JsonObject;
  readonly #where: string;
  readonly file: string;

  constructor(value: JsonObject, file: string, where: string) {
    this.#value = value;
    this.file = file;
    this.#where = where;
  }

  keys(): string[] {
    return Object.keys(this.#value);
  }

  has(key: string): boolean {
    return Object.hasOwn(this.#value, key);
  }

  /** @throws failed-precondition for any other key */
  allow(keys: readonly string[]): void {
    const unknown = this.keys().find((key) => !keys.includes(key));
    if (unknown !== undefined) throw this.error(unknown, 'is not known');
  }

  string(key: string): string {
    const value = this.#value[key];
    if (typeof value === 'string' && value !== '') return value;
    throw this.error(key, 'must be a text that is not empty');
  }

  strings(key: string): string[] {
    const values = this.list(key);
    if (values.every((value) => typeof value === 'string')) return values;
    throw this.error(key, 'must be a list of texts');
  }

  object(key: string): StrictObject {
    return strictObject(this.#value[key], this.file, this.#path(key));
  }

  objects(key: string): StrictObject[] {
    return this.list(key).map((value, index) => strictObject(value, this.file, `${this.#path(key)}[${index}]`));
  }

  /** A list of at least one. */
  list(key: string): unknown[] {
    const value = this.#value[key];
    if (Array.isArray(value) && value.length > 0) return value;
    throw this.error(key, 'must be a list that is not empty');
  }

  error(key: string, why: string): Error {
    return failedPrecondition(`${this.file}: ${this.#path(key)} ${why}`);
  }

  #path(key: string): string {
    if (!/^\w+$/.test(key)) return `${this.#where}[${JSON.stringify(key)}]`;
    return this.#where === '' ? key : `${this.#where}.${key}`;
  }
}

function strictObject(value: unknown, file: string, where: string): StrictObject {
  if (isObject(value)) return new StrictObject(value, file, where);
  throw failedPrecondition(`${file}: ${where === '' ? 'it' : where} must be an object`);
}
