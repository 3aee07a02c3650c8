/** A number of places; who finds none is told so at once, in place of having to wait. */
export class Slots {
  #free: number;

  constructor(count: number) {
    this.#free = count;
  }

  /** The way to give the place back, which works once; undefined if there is none. */
  take(): (() => void) | undefined {
    if (this.#free <= 0) return undefined;
    this.#free--;
    let taken = true;
    return () => {
      if (taken) this.#free++;
      taken = false;
    };
  }
}
