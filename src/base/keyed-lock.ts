import { abortReason } from './abort.js';

/**
 * One exclusive lock a key, granted in the order of asking; a key nobody holds or waits for costs nothing.
 *
 * Invariants: a holder never asks for a key that it holds; who needs several takes them in the order
 * sandbox → container → image. A waiter whose signal fires leaves the queue and never holds the lock.
 */
export class KeyedLock {
  readonly #queues = new Map<string, Waiter[]>();

  /** Runs `fn` while holding `key`; rejects with the signal's reason if it fires before the lock is granted. */
  async run<T>(key: string, fn: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    await this.#acquire(key, signal);
    try {
      return await fn();
    } finally {
      this.#release(key);
    }
  }

  /** Keys that are held now. */
  get size(): number {
    return this.#queues.size;
  }

  #acquire(key: string, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.reject(abortReason(signal));
    const queue = this.#queues.get(key);
    if (queue === undefined) {
      this.#queues.set(key, []);
      return Promise.resolve();
    }
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        queue.splice(queue.indexOf(waiter), 1);
        reject(abortReason(signal));
      };
      const waiter: Waiter = () => {
        signal?.removeEventListener('abort', leave);
        resolve();
      };
      signal?.addEventListener('abort', leave, { once: true });
      queue.push(waiter);
    });
  }

  #release(key: string): void {
    const next = this.#queues.get(key)?.shift();
    if (next === undefined) this.#queues.delete(key);
    else next();
  }
}

type Waiter = () => void;
