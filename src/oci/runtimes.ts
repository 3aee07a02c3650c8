import { notFound } from '../base/errors.js';
import type { OciRuntime } from './runtime.js';

/** The configured runtime handlers by name. */
export class Runtimes {
  readonly #byName: ReadonlyMap<string, OciRuntime>;
  readonly #defaultName: string;

  constructor(byName: ReadonlyMap<string, OciRuntime>, defaultName: string) {
    this.#byName = byName;
    this.#defaultName = defaultName;
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
