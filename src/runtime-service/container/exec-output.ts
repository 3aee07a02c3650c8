import { BoundedBuffer } from '../../base/bounded-buffer.js';
import type { CommandOutput } from './command-output.js';

/** Clients take answers of up to 16 MiB; the difference is for the notices and the other fields. */
export const MAX_EXEC_OUTPUT = 16 * 1024 * 1024 - 1024;

type Source = Pick<CommandOutput, 'forward'>;

/**
 * The output of a command, kept as far as one answer holds it. Where both streams are longer, each has a half; what one
 * does not need the other has. What is cut is said at the stream's end.
 */
export class ExecOutput {
  readonly #limit: number;
  readonly #stdout: BoundedBuffer;
  readonly #stderr: BoundedBuffer;

  constructor(limit = MAX_EXEC_OUTPUT) {
    this.#limit = limit;
    this.#stdout = new BoundedBuffer(limit);
    this.#stderr = new BoundedBuffer(limit);
  }

  /** Reads both streams from now on. */
  collect({ stdout, stderr }: { readonly stdout: Source; readonly stderr: Source }): void {
    const into = (buffer: BoundedBuffer) => (chunk: Buffer) => {
      buffer.push(chunk);
      return true;
    };
    stdout.forward(into(this.#stdout));
    stderr.forward(into(this.#stderr));
  }

  /** What was read until now. */
  result(): { readonly stdout: Buffer; readonly stderr: Buffer } {
    const stdout = this.#stdout.bytes();
    const stderr = this.#stderr.bytes();
    const room = (other: Buffer): number => Math.max(Math.floor(this.#limit / 2), this.#limit - other.length);
    return {
      stdout: cut(stdout, room(stderr), this.#stdout.truncated),
      stderr: cut(stderr, room(stdout), this.#stderr.truncated),
    };
  }
}

function cut(bytes: Buffer, limit: number, truncated: boolean): Buffer {
  if (!truncated && bytes.length <= limit) return bytes;
  const kept = bytes.subarray(0, limit);
  return Buffer.concat([kept, Buffer.from(`\n[output cut after ${kept.length} bytes]\n`)]);
}
