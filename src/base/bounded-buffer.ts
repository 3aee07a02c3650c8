/** Keeps the first `limit` bytes of what is pushed and counts the rest. */
export class BoundedBuffer {
  readonly #chunks: Buffer[] = [];
  readonly #limit: number;
  #kept = 0;
  #dropped = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  push(chunk: Buffer): void {
    const room = this.#limit - this.#kept;
    const part = chunk.length <= room ? chunk : chunk.subarray(0, room);
    if (part.length > 0) this.#chunks.push(part);
    this.#kept += part.length;
    this.#dropped += chunk.length - part.length;
  }

  get truncated(): boolean {
    return this.#dropped > 0;
  }

  bytes(): Buffer {
    return Buffer.concat(this.#chunks, this.#kept);
  }
}
