import { compareTimes } from './clock.js';
import { alreadyExists } from './errors.js';

/** An object of an earlier run that had a name. */
export interface Claimant {
  readonly id: string;
  readonly name: string;
  /** What is half made, on its way to or from existence, has no right to anything: it is about to go. */
  readonly is: 'alive' | 'ended' | 'half-made';
  /** Nanoseconds since the epoch, decimal. */
  readonly createdAt: string;
}

/** Which object holds a name, for names that only one may have: a sandbox's or container's, from its metadata. */
export class NameRegistry {
  readonly #holders = new Map<string, string>();

  /** @throws already-exists, with the holder's id, if another object has the name. */
  claim(name: string, id: string): void {
    const holder = this.#holders.get(name);
    if (holder !== undefined && holder !== id) throw alreadyExists(`the name "${name}" is in use by "${holder}"`);
    this.#holders.set(name, id);
  }

  /**
   * Gives names back after a restart: what lives comes before what has ended, the latest first, and what is half made
   * gets none, so that a pod is not refused, or made twice, for what is left of a vain attempt. Returns those whose
   * name another has.
   */
  reclaim(claimants: readonly Claimant[]): Claimant[] {
    const whole = claimants.filter((one) => one.is !== 'half-made').sort(byRight);
    return whole.filter(({ name, id }) => {
      const holder = this.#holders.get(name) ?? id;
      this.#holders.set(name, holder);
      return holder !== id;
    });
  }

  holder(name: string): string | undefined {
    return this.#holders.get(name);
  }

  /** Gives the name back, if `id` has it. */
  release(name: string, id: string): void {
    if (this.#holders.get(name) === id) this.#holders.delete(name);
  }
}

function byRight(a: Claimant, b: Claimant): number {
  if (a.is !== b.is) return a.is === 'alive' ? -1 : 1;
  return compareTimes(b.createdAt, a.createdAt);
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
