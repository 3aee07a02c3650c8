import { setImmediate as nextTurn } from 'node:timers/promises';

import { abortable, settlesWithin } from '../../base/abort.js';
import { ensureDirectory } from '../../base/files.js';
import { Download } from '../registry/download.js';
import type { UnpackLimits } from './tar-reader.js';
import { DEFAULT_LIMITS, type ExpectedLayer } from './unpack-job.js';
import type { Packed, PackRequest } from './pack-layer.js';
import { UnpackThread } from './unpack-thread.js';
import type { FileDigest } from './unpack-worker.js';
import type { DiskUse } from './untar.js';

export interface UnpackOptions {
  readonly source: AsyncIterable<Uint8Array>;
  /** Made here; must not exist. */
  readonly directory: string;
  readonly expected?: ExpectedLayer;
  /** Gives the directories of the layers below, top first, when they are there; asked when all else is done. */
  readonly lowers: () => Promise<readonly string[]>;
  readonly limits?: UnpackLimits | undefined;
  /** Told of the bytes that came. */
  readonly onBytes?: ((count: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A blob from this size on is downloaded by the thread itself; for less, loading what that takes is not worth it. */
const OWN_DOWNLOAD = 1 << 20;
/** How long a thread is kept for the next layer: starting one takes longer than unpacking a small layer. */
const IDLE_MS = 10_000;

/** How long work that was cut short is waited for, before its thread is given up. */
const LEAVE_MS = 500;
const done = (): Promise<void> => Promise.resolve();

interface Idle {
  readonly thread: UnpackThread;
  readonly timer: NodeJS.Timeout;
}

/**
 * Unpacking threads: as many as there are layers at once, which the caller bounds. With {@link keepOne} the last one that is idle
 * stays, so that a pull of a small image is not mostly the start of a thread.
 */
export class UnpackPool {
  readonly #idle: Idle[] = [];
  readonly #idleMs: number;
  #keepsOne = false;
  #closed = false;
  #removing: Promise<unknown> = Promise.resolve();
  #remover: UnpackThread | undefined;
  #mayRemove = true;
  #starting: Promise<unknown> = Promise.resolve();

  constructor({ idleMs = IDLE_MS }: { readonly idleMs?: number } = {}) {
    this.#idleMs = idleMs;
  }

  /** Has a thread ready from now on. */
  async keepOne(): Promise<void> {
    this.#keepsOne = true;
    if (this.#idle.length === 0 && !this.#closed) await this.#give(await this.#startThread());
  }

  /** Unpacks and verifies one layer while its bytes arrive. On failure the directory is left to the caller. */
  async unpack(options: UnpackOptions): Promise<DiskUse> {
    await ensureDirectory(options.directory);
    let feeding: Promise<unknown> = Promise.resolve();
    const use = (thread: UnpackThread): Promise<DiskUse> => {
      const fed = feed(thread, options);
      feeding = fed;
      return abortable(fed, options.signal);
    };
    return this.#with(use, () => feeding);
  }

  /**
   * Removes a tree in a thread: a layer's many files would hold up all other file work of the process. One tree at a time: those of many failed pulls must
   * not take as many threads.
   */
  remove(path: string): Promise<void> {
    const removed = this.#removing.then(() => this.#remove(path));
    this.#removing = removed.catch(() => undefined);
    return removed;
  }

  /** Leaves what is not removed yet where it is. */
  stopRemoving(): void {
    this.#mayRemove = false;
    void this.#remover?.terminate();
  }

  async #remove(path: string): Promise<void> {
    if (!this.#mayRemove) return;
    await this.#with(async (thread) => {
      this.#remover = thread;
      await thread.ask({ type: 'remove', path }, 'removed').finally(() => (this.#remover = undefined));
    });
  }

  /** Writes the archive of an unpacked layer. */
  async pack(request: PackRequest): Promise<Packed> {
    return this.#with(async (thread) => (await thread.ask({ type: 'pack', request }, 'packed')).packed);
  }

  /** The digest and length of a file, which is hashed in a thread. @throws data-loss if it is no regular file */
  async digest(path: string): Promise<FileDigest> {
    return this.#with(async (thread) => (await thread.ask({ type: 'digest', path }, 'digested')).file);
  }

  async close(): Promise<void> {
    this.#closed = true;
    const idle = this.#idle.splice(0);
    for (const { timer } of idle) clearTimeout(timer);
    await Promise.all(idle.map(({ thread }) => thread.end()));
  }

  /** @param work what may go on with the thread for a moment when its caller has left */
  async #with<T>(use: (thread: UnpackThread) => Promise<T>, work: () => Promise<unknown> = done): Promise<T> {
    const thread = await this.#take();
    try {
      const result = await use(thread);
      await this.#give(thread);
      return result;
    } catch (error) {
      if ((await settlesWithin(work(), LEAVE_MS)) && (await thread.recover())) await this.#give(thread);
      else await this.#replace(thread);
      throw error;
    }
  }

  async #replace(thread: UnpackThread): Promise<void> {
    await thread.end();
    // Where there is none to be had, who needs one will say so.
    if (this.#keepsOne) void this.keepOne().catch(() => undefined);
  }

  async #take(): Promise<UnpackThread> {
    return this.#takeIdle() ?? this.#startThread();
  }

  #takeIdle(): UnpackThread | undefined {
    const idle = this.#idle.pop();
    if (idle === undefined) return undefined;
    clearTimeout(idle.timer);
    idle.thread.busy();
    return idle.thread;
  }

  /** One in a turn of the event loop: to start a thread holds it up for ten milliseconds. */
  #startThread(): Promise<UnpackThread> {
    const started = this.#starting.then(() => nextTurn()).then(() => new UnpackThread());
    this.#starting = started.catch(() => undefined);
    return started;
  }

  async #give(thread: UnpackThread): Promise<void> {
    if (this.#closed) return thread.end();
    thread.idle();
    const timer = setTimeout(() => {
      if (this.#keepsOne && this.#idle.length === 1) return;
      this.#idle.splice(this.#idle.indexOf(idle), 1);
      void thread.end();
    }, this.#idleMs).unref();
    const idle: Idle = { thread, timer };
    this.#idle.push(idle);
    return undefined;
  }
}

async function feed(thread: UnpackThread, options: UnpackOptions): Promise<DiskUse> {
  const { directory, expected, limits = DEFAULT_LIMITS, onBytes } = options;
  thread.onBytes = onBytes;
  thread.post({ type: 'start', request: { directory, limits, ...(expected === undefined ? {} : { expected }) } });
  const { source } = options;
  if (source instanceof Download && source.blob.size >= OWN_DOWNLOAD) await thread.download(source);
  else await send(thread, source);
  const answer = await thread.ask({ type: 'finish', lowers: await options.lowers() }, 'finished');
  return answer.use;
}

async function send(thread: UnpackThread, source: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const chunk of source) await thread.send(chunk);
  await thread.flush();
  await thread.ask({ type: 'end' }, 'verified');
}
