/**
 * Memory that all commands together may keep output in. A command may have more as long as it has no more than is still free, so
 * n greedy ones come to share it in equal parts, with one part left for who comes next: nobody is left without.
 */
export class OutputBudget {
  #free: number;

  constructor(bytes: number) {
    this.#free = bytes;
  }

  /** What of `wanted` bytes a command can have that has `held` already. */
  take(wanted: number, held: number): number {
    const granted = Math.max(0, Math.min(wanted, Math.floor((this.#free - held) / 2)));
    this.#free -= granted;
    return granted;
  }

  give(bytes: number): void {
    this.#free += bytes;
  }

  get free(): number {
    return this.#free;
  }
}

/** Of the node: four answers of the greatest length. */
export const NODE_OUTPUT = new OutputBudget(64 * 1024 * 1024);
