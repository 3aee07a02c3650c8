import { Worker } from 'node:worker_threads';

import { internal } from '../../base/errors.js';
import type { TreeUse } from './tree-use.js';
import type { TreeReply, TreeRequest } from './tree-worker.js';

interface Pending {
  resolve(use: TreeUse): void;
  reject(error: Error): void;
}

/** Directories that wait to be read are remembered; a container that makes millions of them ends the thread, not the daemon. */
const HEAP_MB = 128;
/** How long an idle thread is kept. */
const IDLE_MS = 30_000;

/** Measures directory trees in a thread of its own, started at first use and let go when nobody asks any more. */
export class TreeThread {
  #worker: Worker | undefined;
  #idle: NodeJS.Timeout | undefined;
  readonly #pending = new Map<number, Pending>();
  #next = 0;

  /** @throws internal if the tree cannot be read, or is too large for the thread. */
  measure(path: string): Promise<TreeUse> {
    return new Promise((resolve, reject) => {
      const request: TreeRequest = { id: this.#next++, path };
      this.#pending.set(request.id, { resolve, reject });
      this.#started().postMessage(request);
    });
  }

  /** Ends the thread; what it has not answered fails. */
  async close(): Promise<void> {
    const worker = this.#worker;
    clearTimeout(this.#idle);
    this.#fail(worker, 'was closed');
    await worker?.terminate();
  }

  #started(): Worker {
    clearTimeout(this.#idle);
    this.#worker ??= this.#start();
    return this.#worker;
  }

  #start(): Worker {
    const worker = new Worker(new URL('./tree-worker.js', import.meta.url), {
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MB },
    });
    worker.unref();
    worker.on('message', (reply: TreeReply) => this.#settle(reply));
    worker.on('error', (error) => this.#fail(worker, 'failed', error));
    worker.on('exit', () => this.#fail(worker, 'ended'));
    return worker;
  }

  #settle(reply: TreeReply): void {
    const pending = this.#pending.get(reply.id);
    this.#pending.delete(reply.id);
    if ('error' in reply) pending?.reject(internal(`cannot measure a directory: ${reply.error}`));
    else pending?.resolve(reply.use);
    if (this.#pending.size === 0) this.#idle = setTimeout(() => void this.close(), IDLE_MS).unref();
  }

  /** An older thread that ends late must not fail the requests of its successor. */
  #fail(worker: Worker | undefined, what: string, cause?: unknown): void {
    if (worker === undefined || worker !== this.#worker) return;
    this.#worker = undefined;
    for (const pending of this.#pending.values()) pending.reject(internal(`the measuring thread ${what}`, cause));
    this.#pending.clear();
  }
}
