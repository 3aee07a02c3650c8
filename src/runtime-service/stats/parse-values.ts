/** Unlimited, as cgroup v1 writes it, is the largest number of whole pages; a page may have up to 64 KiB. */
const V1_UNLIMITED = 2n ** 63n - 65_536n;

/** The number that a file holds; undefined for none. */
export function parseNumber(text: string | undefined): bigint | undefined {
  const trimmed = text?.trim() ?? '';
  return /^\d+$/.test(trimmed) ? BigInt(trimmed) : undefined;
}

/** The limit that a file holds; undefined for none, which v2 writes as `max` and v1 as a very large number. */
export function parseLimit(text: string | undefined): bigint | undefined {
  const limit = parseNumber(text);
  return limit === undefined || limit >= V1_UNLIMITED ? undefined : limit;
}

/** A "flat keyed" file (kernel, Documentation/admin-guide/cgroup-v2.rst): one `key number` a line. */
export class FlatFile {
  readonly #values: ReadonlyMap<string, bigint>;

  constructor(text: string | undefined) {
    const pairs = (text ?? '').split('\n').flatMap((line) => {
      const match = /^(\S+) (\d+)$/.exec(line.trim());
      return match === null ? [] : [[match[1] ?? '', BigInt(match[2] ?? 0)] as const];
    });
    this.#values = new Map(pairs);
  }

  find(key: string): bigint | undefined {
    return this.#values.get(key);
  }

  /** 0 where the kernel does not know the key. */
  get(key: string): bigint {
    return this.#values.get(key) ?? 0n;
  }
}

/** `a - b`, but not below 0: two counters that are read one after the other may not agree. */
export function less(a: bigint, b: bigint): bigint {
  return a > b ? a - b : 0n;
}
