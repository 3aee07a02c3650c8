import type { GantryError } from '../../../base/errors.js';

/** Makes the error for a field: its place, and what is wrong with it. */
export type Complain = (field: string, wrong: string) => GantryError;

/** What people write beside the rules for other people. */
const REMARKS = /^(\$|_|comments?$|description$)/;

/** The members of one JSON object, read one by one; what is left unread at the end is an error. */
export class Fields {
  readonly #object: Readonly<Record<string, unknown>>;
  readonly #place: string;
  readonly #complain: Complain;
  readonly #read = new Set<string>();

  /** @param place of the object: empty, or as `syscalls[3].`. */
  constructor(value: unknown, place: string, complain: Complain) {
    this.#place = place;
    this.#complain = complain;
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw complain(place.replace(/\.$/, '') || 'it', ' is no object');
    this.#object = value as Record<string, unknown>;
  }

  /** null counts as absent, as to the runtimes. */
  has(name: string): boolean {
    this.#read.add(name);
    return this.#object[name] !== undefined && this.#object[name] !== null;
  }

  wrong(name: string, what: string): GantryError {
    return this.#complain(`${this.#place}${name}`, what);
  }

  /** `{[name]: read()}` where the member is there, else nothing. */
  optional<Name extends string, T>(name: Name, read: () => T): { readonly [N in Name]?: T } {
    return this.has(name) ? ({ [name]: read() } as { [N in Name]: T }) : {};
  }

  ignore(name: string): void {
    this.#read.add(name);
  }

  text(name: string): string {
    const value = this.#required(name);
    if (typeof value !== 'string' || value === '' || value.includes('\0')) throw this.wrong(name, ' is no text');
    return value;
  }

  matching(name: string, pattern: RegExp): string {
    const value = this.text(name);
    if (!pattern.test(value)) throw this.wrong(name, ` is "${value}", which is no such value`);
    return value;
  }

  oneOf(name: string, known: readonly string[]): string {
    const value = this.text(name);
    if (!known.includes(value)) throw this.wrong(name, ` has the unknown value "${value}"`);
    return value;
  }

  integer(name: string, max: number): number {
    const value = this.#required(name);
    if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > max)
      throw this.wrong(name, ` is no integer from 0 to ${max}`);
    return value;
  }

  texts(name: string): string[] {
    return this.#list(name).map((value, index) => {
      if (typeof value !== 'string' || value === '') throw this.wrong(`${name}[${index}]`, ' is no text');
      return value;
    });
  }

  allOf(name: string, known: readonly string[]): string[] {
    return this.texts(name).map((value, index) => {
      if (!known.includes(value)) throw this.wrong(`${name}[${index}]`, ` has the unknown value "${value}"`);
      return value;
    });
  }

  object(name: string): Fields {
    return new Fields(this.#required(name), `${this.#place}${name}.`, this.#complain);
  }

  objects(name: string): Fields[] {
    return this.#list(name).map(
      (value, index) => new Fields(value, `${this.#place}${name}[${index}].`, this.#complain),
    );
  }

  /** Checks that nothing was left unread. */
  end(): void {
    const left = Object.keys(this.#object).find((name) => !this.#read.has(name) && !REMARKS.test(name));
    if (left !== undefined) throw this.wrong(left, ' is not known');
  }

  #required(name: string): unknown {
    if (!this.has(name)) throw this.wrong(name, ' is missing');
    return this.#object[name];
  }

  #list(name: string): readonly unknown[] {
    const value = this.#required(name);
    if (!Array.isArray(value)) throw this.wrong(name, ' is no list');
    return value;
  }
}
