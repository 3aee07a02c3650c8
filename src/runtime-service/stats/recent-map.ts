/** A map that forgets what was not set for a while: the keys are objects that come and go elsewhere. */
export class RecentMap<V> {
  readonly #maxAgeMs: number;
  readonly #clock: () => number;
  readonly #entries = new Map<string, { readonly value: V; readonly setAt: number }>();

  /** `clock` gives milliseconds that only grow. */
  constructor(maxAgeMs: number, clock: () => number = () => performance.now()) {
    this.#maxAgeMs = maxAgeMs;
    this.#clock = clock;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: string): V | undefined {
    return this.#entries.get(key)?.value;
  }

  set(key: string, value: V): void {
    const now = this.#clock();
    // In the order of setting, so that the oldest come first.
    this.#entries.delete(key);
    this.#entries.set(key, { value, setAt: now });
    for (const [old, { setAt }] of this.#entries) {
      if (now - setAt <= this.#maxAgeMs) break;
      this.#entries.delete(old);
    }
  }
}
