import { cancelled, deadlineExceeded, type GantryError } from '../../base/errors.js';

/** Timers hold 31 bits. */
const LONGEST_MS = 2 ** 31 - 1;

/** The life of one client's connection: ended by the client, by idleness, or by the server. */
export class Session {
  readonly #controller = new AbortController();
  readonly #idleMs: number;
  #timer: NodeJS.Timeout | undefined;
  #active = performance.now();
  #over = false;

  /** `idleMs` 0: it may idle for ever. */
  constructor(idleMs: number) {
    this.#idleMs = Math.min(idleMs, LONGEST_MS);
    if (this.#idleMs > 0) this.#watch(this.#idleMs);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Something went either way. */
  touch(): void {
    this.#active = performance.now();
  }

  /** Ends with the client, who may have done something wrong. */
  follow(gone: Promise<GantryError | undefined>): void {
    void gone.then((failure) => this.abort(failure ?? cancelled('the client is gone')));
  }

  abort(reason: GantryError): void {
    if (this.#over) return;
    this.close();
    this.#controller.abort(reason);
  }

  /** The session is over: its signal fires no more. */
  close(): void {
    this.#over = true;
    clearTimeout(this.#timer);
  }

  /** One timer that looks when the session was last active: touching it must cost nothing. */
  #watch(ms: number): void {
    this.#timer = setTimeout(() => {
      const left = this.#idleMs - (performance.now() - this.#active);
      if (left > 0) this.#watch(left);
      else this.abort(deadlineExceeded(`nothing went either way for ${this.#idleMs / 1000} s`));
    }, ms);
  }
}
