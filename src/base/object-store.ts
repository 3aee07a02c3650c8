import { readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';

import { cut } from './cut.js';
import { dataLoss, describeError, internal, invalidArgument, isFull, notFound } from './errors.js';
import { ensureDirectory, readIfExists, readJson, removeTree, syncDirectory, writeJson } from './files.js';
import { isId } from './ids.js';
import type { Logger } from './log.js';

/** Of what may be the beginning of an id: what is longer is not looked for. */
const MAX_PREFIX = 128;

/** What is fixed for an object's life. */
export interface ObjectRecord {
  readonly id: string;
}

/** An object as readers see it: both parts immutable, replaced as a whole when the status changes. */
export interface Stored<R, S> {
  readonly record: R;
  readonly status: S;
}

/** A new object has no `before`, a deleted one no `after`. */
export interface StoreChange<R, S> {
  readonly before?: Stored<R, S>;
  readonly after?: Stored<R, S>;
}

export interface StoreOptions<R, S> {
  /** What the objects are called in messages: `sandbox`, `container`. */
  readonly kind: string;
  /** Holds a directory an object, named by its id. */
  readonly dir: string;
  /** Where directories go whose files cannot be read. */
  readonly quarantineDir: string;
  readonly version: number;
  readonly logger: Logger;
  /** Check what was read from disk; throw to have the object moved aside. */
  readonly parse: (record: Record<string, unknown>, status: Record<string, unknown>) => Stored<R, S>;
}

export interface UpdateOptions {
  /**
   * Publishes the change though the disk has no room for it: for what leads to an object's end, which a full disk must
   * not keep from coming, and which the next start would find out for itself.
   */
  readonly evenIfFull?: boolean;
}

/**
 * The objects of one kind, in memory and on disk: `<dir>/<id>/record.json`, written once and synced, and
 * `status.json`, replaced atomically; both say whose they are, so that neither is taken for another's. A change is seen by readers only after it is on disk. Reads take no lock.
 */
export class ObjectStore<R extends ObjectRecord, S extends object> {
  readonly #options: StoreOptions<R, S>;
  readonly #objects = new Map<string, Stored<R, S>>();
  readonly #writes = new Map<string, Promise<unknown>>();
  readonly #listeners = new Set<(change: StoreChange<R, S>) => void>();

  private constructor(options: StoreOptions<R, S>) {
    this.#options = options;
  }

  /** Reads all objects; what cannot be read is moved to the quarantine and reported, never a reason not to start. */
  static async open<R extends ObjectRecord, S extends object>(options: StoreOptions<R, S>): Promise<ObjectStore<R, S>> {
    const store = new ObjectStore(options);
    await ensureDirectory(options.dir);
    const names = await readdir(options.dir);
    await Promise.all(names.map((name) => store.#load(name)));
    return store;
  }

  /** The directory of an object, for the other files that belong to it. */
  dirOf(id: string): string {
    return join(this.#options.dir, id);
  }

  list(): Stored<R, S>[] {
    return [...this.#objects.values()];
  }

  get(id: string): Stored<R, S> | undefined {
    return this.#objects.get(id);
  }

  /**
   * The object of an id or of a unique prefix of one.
   * @throws not-found naming the id; invalid-argument for an empty or ambiguous one.
   */
  find(id: string): Stored<R, S> {
    if (id === '') throw invalidArgument(`the ${this.#options.kind} id is empty`);
    const exact = this.#objects.get(id);
    if (exact !== undefined) return exact;
    if (id.length > MAX_PREFIX) throw notFound(`${this.#options.kind} "${cut(id, MAX_PREFIX)}" does not exist`);
    const matches = [...this.#objects.keys()].filter((key) => key.startsWith(id));
    if (matches.length > 1) {
      throw invalidArgument(`the ${this.#options.kind} id "${id}" is ambiguous: ${matches.length} ids begin with it`);
    }
    const match = this.#objects.get(matches[0] ?? '');
    if (match === undefined) throw notFound(`${this.#options.kind} "${id}" does not exist`);
    return match;
  }

  /** Adds a new object: its record is on disk, synced, when this returns. */
  async create(record: R, status: S): Promise<Stored<R, S>> {
    const dir = this.dirOf(record.id);
    await ensureDirectory(dir);
    await this.#writeStatus(record.id, status);
    await writeJson(join(dir, 'record.json'), this.#options.version, record, { fsync: true });
    await syncDirectory(this.#options.dir);
    return this.#publish(record, status);
  }

  /**
   * Replaces the status by what `change` makes of the current one, on disk and then in memory; changes of one object
   * follow each other. A change that returns its argument writes nothing.
   * @throws not-found if the object is gone.
   */
  update(id: string, change: (status: S) => S, options: UpdateOptions = {}): Promise<Stored<R, S>> {
    return this.#inTurn(id, async () => {
      const current = this.#objects.get(id);
      if (current === undefined) throw notFound(`${this.#options.kind} "${id}" does not exist`);
      const status = change(current.status);
      if (status === current.status) return current;
      await this.#write(id, status, options);
      return this.#publish(current.record, status);
    });
  }

  /** Forgets the object and removes its directory; gone already is fine. */
  async delete(id: string): Promise<void> {
    if (!isId(id)) throw internal(`"${id}" is no id`);
    await this.#inTurn(id, async () => {
      // Renamed first: a crash half-way leaves a name that the next start removes, never half an object.
      const doomed = join(this.#options.dir, `.${id}.removed`);
      await rename(this.dirOf(id), doomed).catch(ignoreMissing);
      const before = this.#objects.get(id);
      this.#objects.delete(id);
      if (before !== undefined) this.#tell({ before });
      await removeTree(doomed);
    });
  }

  /** Has `listener` told of every change after it is published, in order; returns the way to stop that. */
  watch(listener: (change: StoreChange<R, S>) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async #write(id: string, status: S, { evenIfFull = false }: UpdateOptions): Promise<void> {
    const { kind, logger } = this.#options;
    try {
      await this.#writeStatus(id, status);
    } catch (error) {
      if (!evenIfFull || !isFull(error)) throw error;
      logger.warn({ [kind]: id, error: describeError(error) }, 'no room on disk for a status');
    }
  }

  #writeStatus(id: string, status: S): Promise<void> {
    return writeJson(join(this.dirOf(id), 'status.json'), this.#options.version, { ...status, id });
  }

  #publish(record: R, status: S): Stored<R, S> {
    const before = this.#objects.get(record.id);
    const after = Object.freeze({ record, status });
    this.#objects.set(record.id, after);
    this.#tell(before === undefined ? { after } : { before, after });
    return after;
  }

  #tell(change: StoreChange<R, S>): void {
    for (const listener of this.#listeners) listener(change);
  }

  async #inTurn<T>(id: string, work: () => Promise<T>): Promise<T> {
    const before = this.#writes.get(id) ?? Promise.resolve();
    const turn = before.then(work, work);
    this.#writes.set(id, turn);
    try {
      return await turn;
    } finally {
      if (this.#writes.get(id) === turn) this.#writes.delete(id);
    }
  }

  async #load(name: string): Promise<void> {
    const { kind, dir, logger } = this.#options;
    const path = join(dir, name);
    try {
      await this.#read(path, name);
    } catch (error) {
      logger.error({ path, error: describeError(error) }, `unreadable ${kind}, moved aside`);
      await this.#quarantine(path, name);
    }
  }

  async #read(path: string, name: string): Promise<void> {
    const { version, parse } = this.#options;
    if (name.startsWith('.')) return removeTree(path);
    if (!isId(name)) throw dataLoss(`${path} is not named by an id`);
    // The record is written last: without it nothing was acquired for the object yet.
    if ((await readIfExists(join(path, 'record.json'))) === undefined) return removeTree(path);
    const record = await readJson(join(path, 'record.json'), version);
    const { id = name, ...status } = await readJson(join(path, 'status.json'), version);
    if (record['id'] !== name) throw dataLoss(`${path}/record.json is of another id`);
    // Older versions wrote none.
    if (id !== name) throw dataLoss(`${path}/status.json is of another id`);
    this.#objects.set(name, Object.freeze(parse(record, status)));
  }

  async #quarantine(path: string, name: string): Promise<void> {
    const { kind, quarantineDir, logger } = this.#options;
    try {
      await ensureDirectory(quarantineDir);
      await rename(path, join(quarantineDir, `${kind}-${name.slice(0, 100)}-${Date.now()}`));
    } catch (error) {
      logger.error({ path, error: describeError(error) }, `an unreadable ${kind} stays where it is`);
    }
  }
}

function ignoreMissing(error: unknown): void {
  if ((error as { code?: string }).code !== 'ENOENT') throw error;
}
