import { accessSync, constants } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

import { notFound } from '../base/errors.js';
import { removeTree } from '../base/files.js';
import type { CgroupDriver } from './cgroup.js';
import { createSlots } from './create-slots.js';
import type { HostFeatures } from './host-features.js';
import { OciRuntime } from './runtime.js';
import { requireFeature, servedFeatures, type ServedFeatures } from './served-features.js';
import { takeAwayCgroups } from './take-away.js';

/** What a runtime handler was when it made an object; the rest of its life is by the same, whatever is configured by then. */
export interface MadeBy {
  readonly path: string;
  readonly root: string;
  readonly cgroupDriver: CgroupDriver;
}

/** The part of an object's record that says who made it. */
export interface Made {
  /** The name of the handler. */
  readonly handler: string;
  /** Absent in what older versions wrote. */
  readonly runtime?: MadeBy;
}

export interface RuntimesOptions {
  readonly byName: ReadonlyMap<string, OciRuntime>;
  readonly defaultName: string;
  /** What this node can do for all of them. */
  readonly host: HostFeatures;
  /** Where handlers whose configuration names no root keep theirs, by name. */
  readonly usualRoot: string;
}

/** The configured runtime handlers by name, and those that earlier ones were. */
export class Runtimes {
  readonly #options: RuntimesOptions;

  readonly host: HostFeatures;

  constructor(options: RuntimesOptions) {
    this.#options = options;
    this.host = options.host;
  }

  /** What pods of a handler can have. @throws not-found */
  served(handler: string): Promise<ServedFeatures> {
    return servedFeatures(this.get(handler), this.host);
  }

  /** @throws not-found; unimplemented, with the reason, where pods of the handler cannot have it. */
  require(handler: string, name: keyof ServedFeatures): Promise<void> {
    return requireFeature(this.get(handler), { name, host: this.host });
  }

  get names(): string[] {
    return [...this.#options.byName.keys()];
  }

  /** The name that a request's handler stands for: empty means the default. */
  nameOf(handler: string): string {
    return handler === '' ? this.#options.defaultName : handler;
  }

  /** The configured handler, for what is made anew. @throws not-found naming it. */
  get(handler: string): OciRuntime {
    const name = this.nameOf(handler);
    const runtime = this.#options.byName.get(name);
    if (runtime === undefined)
      throw notFound(`runtime handler "${name}" is not configured; there are: ${this.names.join(', ')}`);
    return runtime;
  }

  /** What goes into the record of an object that is made by a handler. @throws not-found */
  record(handler: string): Required<Made> {
    const { path, root, cgroupDriver } = this.get(handler).options;
    return { handler: this.nameOf(handler), runtime: { path, root, cgroupDriver } };
  }

  /**
   * The runtime that an object was made with: the configured handler, unless that keeps its state elsewhere by now, or is
   * gone. Where its program has moved, the handler's present one is used on the same state.
   */
  of({ handler, runtime: made }: Made): OciRuntime {
    const configured = this.#options.byName.get(handler);
    if (made === undefined) return configured ?? this.#without(handler, this.#guess(handler));
    if (configured !== undefined && isSame(configured, made)) return configured;
    const path = isProgram(made.path) ? made.path : (configured?.options.path ?? made.path);
    return this.#without(handler, { ...made, path });
  }

  /** Removes what any runtime holds of an object whose record could not be read, so that nobody knows its maker. */
  async deleteUnknown(id: string): Promise<void> {
    for (const runtime of this.#options.byName.values()) await runtime.delete(id);
    const { usualRoot } = this.#options;
    await takeAwayCgroups(id);
    const names = await readdir(usualRoot).catch(() => []);
    await Promise.all(names.map((name) => removeTree(join(usualRoot, name, id))));
  }

  /** Of a record that says nothing, of a handler that is not configured any more. */
  #guess(handler: string): MadeBy {
    const { cgroupDriver } = this.get('').options;
    return { path: handler, root: join(this.#options.usualRoot, handler), cgroupDriver };
  }

  #without(handler: string, made: MadeBy): OciRuntime {
    const { timeoutMs } = this.get('').options;
    return new OciRuntime({ ...made, handler, timeoutMs, creates: createSlots(1) });
  }
}

function isSame({ options }: OciRuntime, { path, root, cgroupDriver }: MadeBy): boolean {
  return options.path === path && options.root === root && options.cgroupDriver === cgroupDriver;
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
