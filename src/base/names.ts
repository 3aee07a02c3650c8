import { alreadyExists } from './errors.js';

/** Which object holds a name, for names that only one may have: a sandbox's or container's, from its metadata. */
export class NameRegistry {
  readonly #holders = new Map<string, string>();

  /** @throws already-exists, with the holder's id, if another object has the name. */
  claim(name: string, id: string): void {
    const holder = this.#holders.get(name);
    if (holder !== undefined && holder !== id) throw alreadyExists(`the name "${name}" is in use by "${holder}"`);
    this.#holders.set(name, id);
  }

  holder(name: string): string | undefined {
    return this.#holders.get(name);
  }

  /** Gives the name back, if `id` has it. */
  release(name: string, id: string): void {
    if (this.#holders.get(name) === id) this.#holders.delete(name);
  }
}

/**
 * Operations by name that a retry may join: a client that gave up and asks again, byte for byte the same, gets the
 * result of the operation still under way, in place of an error that the name is taken.
 */
export class JoinableOperations<T> {
  readonly #running = new Map<string, { digest: string; result: Promise<T> }>();

  /** @throws already-exists if an operation of another request has the name. */
  async run(name: string, digest: string, operation: () => Promise<T>): Promise<T> {
    const running = this.#running.get(name);
    if (running !== undefined) {
      if (running.digest === digest) return running.result;
      throw alreadyExists(`the name "${name}" is in use by a different request that is still under way`);
    }
    const result = operation();
    this.#running.set(name, { digest, result });
    try {
      return await result;
    } finally {
      this.#running.delete(name);
    }
  }

  /** Settles when nothing runs any more, whatever the outcomes. */
  async idle(): Promise<void> {
    await Promise.allSettled([...this.#running.values()].map(({ result }) => result));
  }
}
