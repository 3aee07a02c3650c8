import type { Socket } from 'node:net';

import { bytesWaiting, readRest } from '../../base/sys/descriptor.js';

/** Takes what a command wrote; false if it wants no more before {@link CommandOutput.resume}. */
export type OutputTaker = (chunk: Buffer) => boolean;

/** How long output may still come after the command's own end, from what it left in the background. */
const DRAIN_MS = 2_000;
/** How long such a pipe may be silent meanwhile. */
const QUIET_MS = 300;
const LOOK_MS = 50;
/** More than a runtime between the command and us can hold of one output. */
const MAX_RELAYED = 1 << 20;

/** Bytes of the command's that have not reached us yet. */
export type Upstream = () => number;

/** Our ends of a command's outputs. */
export interface CommandEnds {
  /** For after its end: settles when what it wrote is taken. True if nobody can write any more. */
  finish(upstream: Upstream): Promise<boolean>;
  close(): void;
}

/** One output of a command: the end of a pipe, or the master of a terminal. */
export class CommandOutput {
  readonly #fd: number;
  readonly #socket: Socket;
  readonly #isTerminal: boolean;
  #taken = 0;
  #waits = false;
  #ended = false;
  #lastAt = 0;
  #check: () => void = () => undefined;

  /** The socket stays its maker's to close. */
  constructor(fd: number, socket: Socket, kind: 'pipe' | 'terminal') {
    this.#fd = fd;
    this.#socket = socket;
    this.#isTerminal = kind === 'terminal';
  }

  /** Hands on all output from now on, at the taker's pace. */
  forward(take: OutputTaker): void {
    const hand = (chunk: Buffer): void => {
      this.#taken += chunk.length;
      this.#lastAt = Date.now();
      if (take(chunk)) return;
      this.#waits = true;
      this.#socket.pause();
    };
    const over = (): void => {
      this.#ended = true;
      this.#check();
    };
    this.#socket.on('data', (chunk: Buffer) => {
      hand(chunk);
      this.#check();
    });
    this.#socket.on('end', () => {
      for (const chunk of readRest(this.#fd)) hand(chunk);
      over();
    });
    // EIO: nobody has the terminal's other side any more.
    this.#socket.on('error', over);
    this.#socket.on('close', over);
  }

  /** The taker takes again. */
  resume(): void {
    this.#waits = false;
    this.#lastAt = Date.now();
    this.#socket.resume();
  }

  /**
   * For after the command's end: settles when all that it wrote is taken. What it left in the background may hold the
   * output open for long; it is heard for a short while. True if nobody can write any more.
   */
  async finish(upstream: Upstream = () => 0): Promise<boolean> {
    if (this.#ended) return true;
    this.#lastAt = Date.now();
    const begin = this.#lastAt;
    // The runtime alone had the terminal, so its end comes soon.
    const owed = this.#isTerminal ? 0 : this.#socket.bytesRead + bytesWaiting(this.#fd);
    const isLate = (): boolean => {
      const [since, quiet] = [Date.now() - begin, Date.now() - this.#lastAt];
      return this.#isTerminal ? quiet >= DRAIN_MS : quiet >= QUIET_MS || since >= DRAIN_MS;
    };
    const isWhole = (): boolean =>
      !this.#waits && this.#taken >= owed && (this.#taken >= owed + MAX_RELAYED || upstream() === 0);
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#check = (): void => {
        if (this.#ended || (isLate() && isWhole())) resolve();
      };
      timer = setInterval(this.#check, LOOK_MS);
      this.#check();
    });
    clearInterval(timer);
    return this.#ended;
  }
}
