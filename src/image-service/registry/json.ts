import { dataLoss } from '../../base/errors.js';

export type JsonObject = Readonly<Record<string, unknown>>;

/** Parses an object. The parser's own message is left out: it quotes the content, which may be anything. */
export function parseObject(text: string, what: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw dataLoss(`${what} is not JSON`);
  }
  if (!isObject(value)) throw dataLoss(`${what} is not a JSON object`);
  return value;
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The value if it is a string, else the empty string. */
export function stringOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** The strings of a list; anything else in it, or no list, counts as absent. */
export function stringsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}

/** The members of an object that are strings; none if it is no object. */
export function textsOf(value: unknown): Record<string, string> {
  const entries = isObject(value) ? Object.entries(value) : [];
  return Object.fromEntries(entries.filter((entry): entry is [string, string] => typeof entry[1] === 'string'));
}
