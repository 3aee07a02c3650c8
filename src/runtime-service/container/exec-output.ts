import { BoundedBuffer } from '../../base/bounded-buffer.js';
import { giveBackMemory } from '../../base/give-back-memory.js';
import type { CommandOutput } from './command-output.js';
import { NODE_OUTPUT, type OutputBudget } from './output-budget.js';

/** Clients take answers of up to 16 MiB; the difference is for the notices and the other fields. */
export const MAX_EXEC_OUTPUT = 16 * 1024 * 1024 - 1024;
/** What every command may keep, whatever others do: more than kubelet reads of a probe's output. */
const OWN_OUTPUT = 64 * 1024;
/** More is asked for at least so much at a time. */
const STEP = 64 * 1024;

type Source = Pick<CommandOutput, 'forward'>;

/**
 * The output of a command, kept as far as one answer holds it, and as far as the node has room for it beside that of other
 * commands. Where both streams are longer, each has a half; what one does not need the other has. What is cut is said at the stream's end.
 */
export class ExecOutput {
  readonly #limit: number;
  readonly #budget: OutputBudget;
  readonly #stdout: BoundedBuffer;
  readonly #stderr: BoundedBuffer;
  /** Bytes that may be kept of both, and what of it is the budget's. */
  #allowed: number;
  #taken = 0;

  constructor(limit = MAX_EXEC_OUTPUT, budget = NODE_OUTPUT) {
    this.#limit = limit;
    this.#budget = budget;
    this.#allowed = Math.min(limit, OWN_OUTPUT);
    this.#stdout = new BoundedBuffer(limit);
    this.#stderr = new BoundedBuffer(limit);
  }

  /** Reads both streams from now on. */
  collect({ stdout, stderr }: { readonly stdout: Source; readonly stderr: Source }): void {
    const into = (buffer: BoundedBuffer, other: BoundedBuffer) => (chunk: Buffer) => {
      this.#keep(chunk, buffer, other);
      return true;
    };
    stdout.forward(into(this.#stdout, this.#stderr));
    stderr.forward(into(this.#stderr, this.#stdout));
  }

  /** What was read until now. */
  result(): { readonly stdout: Buffer; readonly stderr: Buffer } {
    return { stdout: withNotice(this.#stdout), stderr: withNotice(this.#stderr) };
  }

  /** Gives back what the node has lent; to be called once, when nothing is collected any more. */
  close(): void {
    this.#budget.give(this.#taken);
    if (this.#taken > 0) giveBackMemory();
    this.#taken = 0;
  }

  #keep(chunk: Buffer, buffer: BoundedBuffer, other: BoundedBuffer): void {
    if (!buffer.truncated) this.#grow(buffer.length + other.length + chunk.length);
    buffer.push(chunk, Math.max(Math.floor(this.#allowed / 2), this.#allowed - other.length));
    other.trim(Math.max(0, this.#allowed - buffer.length));
  }

  #grow(needed: number): void {
    if (needed <= this.#allowed || this.#allowed >= this.#limit) return;
    const wanted = Math.min(Math.max(needed, this.#allowed + STEP), this.#limit) - this.#allowed;
    const granted = this.#budget.take(wanted, this.#taken);
    this.#taken += granted;
    this.#allowed += granted;
  }
}

function withNotice(buffer: BoundedBuffer): Buffer {
  const kept = buffer.bytes();
  return buffer.truncated ? Buffer.concat([kept, Buffer.from(`\n[output cut after ${kept.length} bytes]\n`)]) : kept;
}
