import Long from 'long';

/** A decoded message as plain data: 64-bit numbers as text, and only the fields that the sender has set. */
export function plain(value: unknown): unknown {
  if (Long.isLong(value)) return value.toString();
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, field]) => [key, plain(field)]));
}

/** A value that an enum of this version does not have, as a later client may send it. */
export function unknown(value: number): never {
  return value as never;
}
