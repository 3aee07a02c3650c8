import { Worker } from 'node:worker_threads';

import { internal } from '../errors.js';
import type { Appended } from './append-below.js';
import type { MountRequest, OverlayRequest } from './calls.js';
import { makeSysError } from './libc.js';
import type { Operations, Reply } from './worker.js';

/**
 * Mounts, namespaces and reads below an image's root, in worker threads: none of them may block the main
 * thread or libuv's pool. There are few threads, started at first use, and they keep no process alive.
 */

export const mount = (request: MountRequest): Promise<void> => call('mount', request);

/** Unmounts all that is stacked on `target`; nothing mounted there is fine. `detach` leaves a busy one to the kernel. */
export const unmount = (target: string, options: { detach?: boolean } = {}): Promise<void> =>
  call('unmount', target, options);

export const mountOverlay = (request: OverlayRequest): Promise<void> => call('mountOverlay', request);

/** {@link mountOverlay} with the layers as the user namespace at the path `userns` sees them. */
export const mountIdmappedOverlay = (request: OverlayRequest, userns: string): Promise<void> =>
  call('mountIdmappedOverlay', request, userns);

/** Shows at `target`, where a mount is, a directory of it alone; false if it has none there. */
export const narrowMount = (target: string, path: string): Promise<boolean> => call('narrowMount', target, path);

/** Makes a network namespace, with `lo` up, pinned at `path`, which must be an existing file. */
export const createNetns = (path: string): Promise<void> => call('createNetns', path);

/** Brings `lo` up in the network namespace pinned at `netns`. */
export const bringUpLoopbackIn = (netns: string): Promise<void> => call('bringUpLoopbackIn', netns);

/** Where a path below `root` leads, without ever leaving it; undefined if it leads to nothing. */
export const findInRoot = (root: string, path: string): Promise<{ path: string; directory: boolean } | undefined> =>
  call('findInRoot', root, path);

/** Writes sysctl files as seen from the network namespace pinned at `netns`. */
export const writeInNetns = (netns: string, files: readonly (readonly [string, string])[]): Promise<void> =>
  call('writeInNetns', netns, files);

/** Reads a regular file below `root` without ever leaving it; undefined if there is none. */
export async function readInRoot(root: string, path: string, limit = 1 << 20): Promise<Buffer | undefined> {
  const bytes = await call('readInRoot', root, path, limit);
  return bytes === undefined ? undefined : Buffer.from(bytes);
}

/** Opens a regular file below `directory` for appending, made if need be, and follows no link to it. */
export const appendBelow = (directory: string, path: string, fresh = false): Promise<Appended> =>
  call('appendBelow', directory, path, fresh);

/** Removes a tree with paths that are too long for `node:fs`. */
export const removeDeepTree = (path: string): Promise<void> => call('removeTree', path);

export const syncFileSystem = (path: string): Promise<void> => call('syncFileSystem', path);

const THREADS = 2;

interface Pending {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** A thread and the calls it has not answered yet. */
class SysThread {
  readonly #pending = new Map<number, Pending>();
  readonly #worker = new Worker(new URL('./worker.js', import.meta.url));
  #next = 0;

  constructor() {
    this.#worker.unref();
    this.#worker.on('message', (reply: Reply) => this.#settle(reply));
    this.#worker.on('error', (error) => this.#fail(internal('the system call worker failed', error)));
    this.#worker.on('exit', () => this.#fail(internal('the system call worker ended')));
  }

  get load(): number {
    return this.#pending.size;
  }

  call(operation: string, args: readonly unknown[]): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const id = this.#next++;
      this.#pending.set(id, { resolve, reject });
      this.#worker.ref();
      this.#worker.postMessage({ id, operation, args });
    });
  }

  #settle(reply: Reply): void {
    const pending = this.#pending.get(reply.id);
    this.#pending.delete(reply.id);
    if (this.#pending.size === 0) this.#worker.unref();
    if ('error' in reply) pending?.reject(makeSysError(reply.error.code, reply.error.syscall, reply.error.message));
    else pending?.resolve(reply.result);
  }

  #fail(error: Error): void {
    const index = threads.indexOf(this);
    if (index >= 0) threads.splice(index, 1);
    for (const pending of this.#pending.values()) pending.reject(error);
    this.#pending.clear();
  }
}

const threads: SysThread[] = [];

function call<K extends keyof Operations>(
  operation: K,
  ...args: Parameters<Operations[K]>
): Promise<ReturnType<Operations[K]>> {
  return leastBusy().call(operation, args) as Promise<ReturnType<Operations[K]>>;
}

/** Starts the threads, so that the first who need them do not wait for that: it takes tens of milliseconds each. */
export async function startThreads(): Promise<void> {
  while (threads.length < THREADS) {
    const thread = new SysThread();
    threads.push(thread);
    await thread.call('findInRoot', ['/', '/']);
  }
}

function leastBusy(): SysThread {
  const idle = threads.find((thread) => thread.load === 0);
  if (idle !== undefined) return idle;
  if (threads.length < THREADS) {
    const thread = new SysThread();
    threads.push(thread);
    return thread;
  }
  return threads.reduce((best, thread) => (thread.load < best.load ? thread : best));
}
