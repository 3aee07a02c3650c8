import type { UnwaitingOutput } from './sys/unwaiting-output.js';

export interface LogSinkOptions {
  /** Bytes of lines that wait for their reader; what comes beyond is dropped. */
  readonly limit: number;
  /** The line that stands where lines were dropped. */
  readonly gap: (dropped: number) => string;
}

/** When to try again with an output that takes nothing, and with one that fails. */
const FULL_MS = 50;
const BROKEN_MS = 1_000;
/** What is handed to the output at once. */
const BATCH_BYTES = 64 * 1024;

/**
 * Where log lines go: at once where the output takes them, else they wait in a buffer of bounded size. Nobody ever waits for who
 * reads the log, and neither a full output nor a broken one is an error.
 */
export class LogSink {
  readonly #output: UnwaitingOutput;
  readonly #options: LogSinkOptions;
  #lines: Buffer[] = [];
  #bytes = 0;
  #dropped = 0;
  #writing = false;
  #retry: NodeJS.Timeout | undefined;
  #waiting: (() => void)[] = [];

  constructor(output: UnwaitingOutput, options: LogSinkOptions) {
    this.#output = output;
    this.#options = options;
  }

  write(line: string): void {
    const bytes = Buffer.from(line);
    // Once a line is dropped all are, until half of the buffer is free: one gap, and the word on it in its place.
    if (this.#dropped > 0 || this.#bytes + bytes.length > this.#options.limit) this.#dropped++;
    else this.#push(bytes);
    if (this.#retry === undefined) this.#pump();
  }

  /** Calls back when all is written, if ever. */
  flush(done: () => void): void {
    if (this.#lines.length === 0) done();
    else this.#waiting.push(done);
  }

  /** Writes what the output takes without waiting: the last thing that a process does. */
  flushNow(): void {
    try {
      while (this.#lines.length > 0) {
        const taken = this.#output.writeNow(this.#batch());
        if (taken === 0) return;
        this.#drop(taken);
        this.#tellOfGap();
      }
    } catch {
      // Nobody is there to read it.
    }
  }

  #push(line: Buffer): void {
    this.#lines.push(line);
    this.#bytes += line.length;
  }

  #pump(): void {
    try {
      while (!this.#writing && this.#lines.length > 0) {
        const taken = this.#output.write(this.#batch());
        if (typeof taken === 'number') {
          if (!this.#took(taken)) return;
        } else this.#await(taken);
      }
    } catch {
      this.#later(BROKEN_MS);
    }
  }

  #await(taken: Promise<number>): void {
    this.#writing = true;
    taken.then(
      (count) => {
        this.#writing = false;
        if (this.#took(count)) this.#pump();
      },
      () => {
        this.#writing = false;
        this.#later(BROKEN_MS);
      },
    );
  }

  /** False if the output takes no more now. */
  #took(count: number): boolean {
    if (count === 0) {
      this.#later(FULL_MS);
      return false;
    }
    this.#drop(count);
    this.#tellOfGap();
    if (this.#lines.length === 0) for (const done of this.#waiting.splice(0)) done();
    return true;
  }

  #later(ms: number): void {
    if (this.#retry !== undefined) return;
    this.#retry = setTimeout(() => {
      this.#retry = undefined;
      this.#pump();
    }, ms);
    this.#retry.unref();
  }

  #tellOfGap(): void {
    if (this.#dropped === 0 || this.#bytes > this.#options.limit / 2) return;
    this.#push(Buffer.from(this.#options.gap(this.#dropped)));
    this.#dropped = 0;
  }

  /** The first lines, as many as go well together. */
  #batch(): Buffer {
    let count = 0;
    for (let bytes = 0; count < this.#lines.length && bytes < BATCH_BYTES; count++)
      bytes += this.#lines[count]?.length ?? 0;
    if (count > 1) this.#lines.unshift(Buffer.concat(this.#lines.splice(0, count)));
    return this.#lines[0] ?? Buffer.alloc(0);
  }

  #drop(count: number): void {
    const [first = Buffer.alloc(0)] = this.#lines;
    this.#bytes -= count;
    if (count < first.length) this.#lines[0] = first.subarray(count);
    else this.#lines.shift();
  }
}
