import { invalidArgument } from './errors.js';

/**
 * One argument or variable for a child that splits it again, and knows no way to quote: the only place that joins such
 * parts, so that none of a request's can be taken for two.
 * @param what names the argument in errors.
 * @throws invalid-argument naming the part that has the separator, a line's end or NUL in it.
 */
export function delimited(separator: ':' | ';' | ',', parts: readonly string[], what: string): string {
  const bad = parts.find((part) => part.includes(separator) || /[\n\0]/.test(part));
  if (bad === undefined) return parts.join(separator);
  throw invalidArgument(`${what}: ${JSON.stringify(bad)} cannot be a part of it, which end at "${separator}"`);
}
