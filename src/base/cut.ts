/**
 * A text of at most about `limit` characters: a longer one loses its middle, since what failed is named at the beginning and the reason at
 * the end. Short ones are returned as they are.
 */
export function cut(text: string, limit: number): string {
  if (text.length <= limit) return text;
  const tail = Math.floor(limit / 4);
  const head = limit - tail;
  return `${copyOf(text, 0, head)}…[${text.length - limit} characters cut]…${copyOf(text, text.length - tail)}`;
}

/** Of bytes of its own: a slice would keep the whole text in memory. Halves of surrogates at its ends are replaced. */
function copyOf(text: string, start: number, end?: number): string {
  return Buffer.from(text.slice(start, end), 'utf8').toString('utf8');
}

/** Strings, entries and levels that are kept of a value by {@link cutStrings}. */
export interface CutLimits {
  readonly text: number;
  readonly entries: number;
}

/** How deep a value is looked at; what is below reads as `…`. */
const MAX_DEPTH = 8;

/** A value as JSON would have it, with every string {@link cut}, keys as well, and long lists and objects cut after some entries. */
export function cutStrings(value: unknown, limits: CutLimits, depth = MAX_DEPTH): unknown {
  if (typeof value === 'string') return cut(value, limits.text);
  if (typeof value !== 'object' || value === null || isMadeByItself(value)) return value;
  if (depth === 0) return '…';
  const inner = (entry: unknown): unknown => cutStrings(entry, limits, depth - 1);
  if (Array.isArray(value)) return [...value.slice(0, limits.entries).map(inner), ...leftOut(value.length, limits)];
  const keys = Object.keys(value);
  const entries = keys.slice(0, limits.entries).map((key) => {
    return [cut(key, limits.text), inner((value as Record<string, unknown>)[key])] as const;
  });
  const more = leftOut(keys.length, limits).map((note) => ['…', note] as const);
  return Object.fromEntries([...entries, ...more]);
}

function isMadeByItself(value: object): boolean {
  return value instanceof Error || typeof (value as { toJSON?: unknown }).toJSON === 'function';
}

function leftOut(count: number, { entries }: CutLimits): string[] {
  return count > entries ? [`${count - entries} more`] : [];
}
