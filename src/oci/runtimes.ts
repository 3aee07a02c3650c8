import { notFound } from '../base/errors.js';
import type { HostFeatures } from './host-features.js';
import type { OciRuntime } from './runtime.js';
import { requireFeature, servedFeatures, type ServedFeatures } from './served-features.js';

/** The configured runtime handlers by name. */
export class Runtimes {
  readonly #byName: ReadonlyMap<string, OciRuntime>;
  readonly #defaultName: string;

  /** What this node can do for all of them. */
  readonly host: HostFeatures;

  constructor(byName: ReadonlyMap<string, OciRuntime>, defaultName: string, host: HostFeatures) {
    this.#byName = byName;
    this.#defaultName = defaultName;
    this.host = host;
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
    return [...this.#byName.keys()];
  }

  /** The name that a request's handler stands for: empty means the default. */
  nameOf(handler: string): string {
    return handler === '' ? this.#defaultName : handler;
  }

  /** @throws not-found naming the handler. */
  get(handler: string): OciRuntime {
    const name = this.nameOf(handler);
    const runtime = this.#byName.get(name);
    if (runtime === undefined)
      throw notFound(`runtime handler "${name}" is not configured; there are: ${this.names.join(', ')}`);
    return runtime;
  }
}
