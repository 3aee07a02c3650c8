/** Small outputs take no more than they need; big ones few allocations, of a size that goes back to the system once it is free. */
const FIRST_SLAB = 1024;
const LARGEST_SLAB = 256 * 1024;

/**
 * Keeps the first `limit` bytes of what is pushed and counts the rest. The bytes are copied: a writer of single bytes would
 * make a buffer of each.
 */
export class BoundedBuffer {
  readonly #limit: number;
  #slabs: Buffer[] = [];
  /** Used bytes of the last slab; the others are full. */
  #used = 0;
  #kept = 0;
  #dropped = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** `limit`: a lower one than the buffer's own. What was dropped once leaves no hole: nothing is kept after it. */
  push(chunk: Buffer, limit = this.#limit): void {
    const room = this.truncated ? 0 : Math.max(0, Math.min(limit, this.#limit) - this.#kept);
    const taken = Math.min(room, chunk.length);
    this.#copy(chunk.subarray(0, taken));
    this.#kept += taken;
    this.#dropped += chunk.length - taken;
  }

  /** Drops what is kept beyond so many bytes. */
  trim(length: number): void {
    while (this.#kept > length) {
      const count = Math.min(this.#used, this.#kept - length);
      this.#used -= count;
      this.#kept -= count;
      this.#dropped += count;
      if (this.#used > 0) return;
      this.#slabs.pop();
      this.#used = this.#slabs.at(-1)?.length ?? 0;
    }
  }

  get length(): number {
    return this.#kept;
  }

  get truncated(): boolean {
    return this.#dropped > 0;
  }

  bytes(): Buffer {
    return Buffer.concat(this.#slabs, this.#kept);
  }

  #copy(chunk: Buffer): void {
    for (let at = 0; at < chunk.length;) {
      const slab = this.#slabFor(chunk.length - at);
      const count = chunk.copy(slab, this.#used, at);
      this.#used += count;
      at += count;
    }
  }

  #slabFor(bytes: number): Buffer {
    const last = this.#slabs.at(-1);
    if (last !== undefined && this.#used < last.length) return last;
    const slab = Buffer.allocUnsafeSlow(Math.min(Math.max(FIRST_SLAB, bytes, this.#kept * 2), LARGEST_SLAB));
    this.#slabs.push(slab);
    this.#used = 0;
    return slab;
  }
}
