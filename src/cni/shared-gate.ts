/**
 * Many may hold the gate together, or one alone: section 3 of the CNI specification forbids GC while an ADD or DEL
 * runs. Who wants it alone waits for those inside and holds up those who come after it, so it cannot starve.
 */
export class SharedGate {
  readonly #inside = new Set<Promise<unknown>>();
  #closing: Promise<void> = Promise.resolve();

  /** Runs `fn` beside others that share; waits while one is alone or waits to be. */
  async shared<T>(fn: () => Promise<T>): Promise<T> {
    for (let seen; seen !== this.#closing;) {
      seen = this.#closing;
      await seen;
    }
    const running = fn();
    this.#inside.add(running);
    try {
      return await running;
    } finally {
      this.#inside.delete(running);
    }
  }

  /** Runs `fn` while nothing else is inside. */
  async exclusive<T>(fn: () => Promise<T>): Promise<T> {
    const before = this.#closing;
    const turn = before.then(() => Promise.allSettled(this.#inside)).then(fn);
    this.#closing = turn.then(ignore, ignore);
    return turn;
  }
}

function ignore(): void {
  // The one who ran it has its error.
}
