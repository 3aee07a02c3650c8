import { invalidArgument } from '../base/errors.js';

/** A JSON object whose shape is not checked yet. */
export type JsonObject = Readonly<Record<string, unknown>>;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Parses text that must be one JSON object; `what` begins the message of the invalid-argument otherwise. */
export function parseObject(text: string, what: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw invalidArgument(`${what} is not JSON`, error);
  }
  if (!isObject(value)) throw invalidArgument(`${what} is not a JSON object`);
  return value;
}

/** A list of objects; null and absent are the empty list, as Go's encoders write either. */
export function objectList(value: unknown, what: string): readonly JsonObject[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value) || !value.every(isObject)) throw invalidArgument(`${what} is not a list of objects`);
  return value;
}

/** A list of strings; null and absent are the empty list. */
export function stringList(value: unknown, what: string): readonly string[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value) || !value.every((item) => typeof item === 'string')) {
    throw invalidArgument(`${what} is not a list of strings`);
  }
  return value;
}

/** A string, or undefined where it is absent, null or empty. */
export function optionalString(value: unknown, what: string): string | undefined {
  if (value === undefined || value === null || value === '') return undefined;
  if (typeof value !== 'string') throw invalidArgument(`${what} is not a string`);
  return value;
}

/** An unsigned integer, or undefined where it is absent or null. */
export function optionalUint(value: unknown, what: string): number | undefined {
  if (value === undefined || value === null) return undefined;
  if (!Number.isSafeInteger(value) || (value as number) < 0)
    throw invalidArgument(`${what} is not an unsigned integer`);
  return value as number;
}

/** A boolean that is false where it is absent or null. */
export function optionalFlag(value: unknown, what: string): boolean {
  if (value === undefined || value === null) return false;
  if (typeof value !== 'boolean') throw invalidArgument(`${what} is not true or false`);
  return value;
}
